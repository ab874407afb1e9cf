"""Training: the optimizer trains what the model computes with, in float32, whatever the parameters' dtype."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from torch_ipex_device.frontend import modules

from .nets import Net, assert_near, assert_same_state, assert_unchanged, image, net, optimize, snapshot

Make = Callable[[Any], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.01),
    "Adagrad": lambda parameters: torch.optim.Adagrad(parameters, lr=0.05),
    "RMSprop": lambda parameters: torch.optim.RMSprop(parameters, lr=0.01),
}
optimizers = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
splits = pytest.mark.parametrize("split", [False, True])
inplaces = pytest.mark.parametrize("inplace", [False, True])


def trainable() -> Net:
    model = net().train()
    model.drop.p = 0.0
    return model


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int, dtype: torch.dtype | None = None) -> float:
    x = image(8, seed).to(next(iter(model.buffers())).dtype)
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        loss = nn.functional.mse_loss(model(x).to(x.dtype), torch.linspace(-1, 1, 56, dtype=x.dtype).reshape(8, 7))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@optimizers
@inplaces
@pytest.mark.parametrize("level", ["O0", "O1"])
def test_float32_steps_are_those_of_pytorch(make: Make, inplace: bool, level: str) -> None:
    reference, model = trainable().double(), trainable()
    for each in (
        reference,
        model,
    ):  # its gradient is zero and some noise, which most optimizers scale to the learning rate
        each.hidden.bias.requires_grad_(False)
    optimizer_exact = make(reference.parameters())
    made, optimizer = optimize(model, optimizer=make(model.parameters()), level=level, inplace=inplace)
    for seed in range(3):
        step(reference, optimizer_exact, seed)
        step(made, optimizer, seed)
    for name, value in made.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), reference.state_dict()[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_low_precision_learns_as_float32_does(name: str) -> None:
    def losses(dtype: torch.dtype | None, split: bool) -> list[float]:
        model = trainable()
        options: dict[str, Any] = {"dtype": dtype, "split_master_weight_for_bf16": split}
        made, optimizer = optimize(model, optimizer=OPTIMIZERS[name](model.parameters()), **options)
        return [step(made, optimizer, seed % 2, dtype) for seed in range(12)]

    full = losses(None, False)
    for dtype, split in ((torch.bfloat16, True), (torch.bfloat16, False), (torch.float16, False)):
        low = losses(dtype, split)
        assert full[-1] < 0.7 * full[0] and abs(low[-1] - full[-1]) < 0.2 * full[0]


@optimizers
@inplaces
def test_given_objects(make: Make, inplace: bool) -> None:
    model = trainable()
    optimizer = make(model.parameters())
    before, state = snapshot(model), copy.deepcopy(optimizer.state_dict())
    made, made_optimizer = optimize(model, torch.bfloat16, optimizer, inplace=inplace)
    assert (made is model, made_optimizer is optimizer) == (inplace, inplace)
    assert isinstance(made_optimizer, type(optimizer).__mro__[0] if not inplace else torch.optim.Optimizer)
    held = [id(parameter) for group in made_optimizer.param_groups for parameter in group["params"]]
    assert held == [id(parameter) for parameter in made.parameters()]
    if not inplace:
        step(made, made_optimizer, 0, torch.bfloat16)
        assert_unchanged(model, before)
        assert str(optimizer.state_dict()) == str(state)


@splits
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_state_is_float32_and_exact(split: bool, dtype: torch.dtype) -> None:
    model = trainable()
    expected = copy.deepcopy(model.state_dict())
    options: dict[str, Any] = {"split_master_weight_for_bf16": split}
    made, optimizer = optimize(model, dtype, OPTIMIZERS["SGD"](model.parameters()), **options)
    assert made.left.weight.dtype == dtype
    assert_same_state(made.state_dict(), expected)
    plain_step = copy.deepcopy(model)
    plain = torch.optim.SGD(plain_step.parameters(), lr=0.05, momentum=0.9)
    for mine, theirs in zip(made.parameters(), plain_step.parameters(), strict=True):
        mine.grad = torch.full_like(mine, 1 / 64, dtype=mine.grad_dtype)
        theirs.grad = torch.full_like(theirs, 1 / 64)
    optimizer.step()
    plain.step()
    assert_same_state(made.state_dict(), plain_step.state_dict())


@splits
def test_checkpoints_resume(split: bool) -> None:
    options: dict[str, Any] = {"split_master_weight_for_bf16": split}

    def start(seed: int) -> tuple[Net, torch.optim.Optimizer]:
        model = net(seed).train()
        model.drop.p = 0.0
        return optimize(model, torch.bfloat16, OPTIMIZERS["AdamW"](model.parameters()), **options)

    first, first_optimizer = start(0)
    for seed in range(3):
        step(first, first_optimizer, seed, torch.bfloat16)
    checkpoint = copy.deepcopy((first.state_dict(), first_optimizer.state_dict()))
    second, second_optimizer = start(1)
    second.load_state_dict(checkpoint[0])
    second_optimizer.load_state_dict(checkpoint[1])
    assert_same_state(second.state_dict(), checkpoint[0])
    for seed in range(3):
        assert step(first, first_optimizer, seed, torch.bfloat16) == step(
            second, second_optimizer, seed, torch.bfloat16
        )
    assert_same_state(second.state_dict(), first.state_dict())


@splits
@pytest.mark.parametrize("kind", ["deepcopy", "pickle"])
def test_copies_of_the_model_keep_the_values(split: bool, kind: str) -> None:
    model = trainable()
    options: dict[str, Any] = {"split_master_weight_for_bf16": split}
    made, optimizer = optimize(model, torch.bfloat16, OPTIMIZERS["SGD"](model.parameters()), **options)
    step(made, optimizer, 0, torch.bfloat16)
    expected = copy.deepcopy(dict(made.state_dict()))
    other = copy.deepcopy(made) if kind == "deepcopy" else pickle.loads(pickle.dumps(made))
    step(made, optimizer, 1, torch.bfloat16)
    assert list(other.state_dict()) == list(expected)
    assert all(torch.equal(value, expected[key]) for key, value in other.state_dict().items())
    assert other.head.weight is other.embedding.weight


@splits
@inplaces
def test_optimised_again_while_training(split: bool, inplace: bool) -> None:
    model = trainable()
    options: dict[str, Any] = {"split_master_weight_for_bf16": split}
    made, optimizer = optimize(model, torch.bfloat16, OPTIMIZERS["SGD"](model.parameters()), **options)
    step(made, optimizer, 0, torch.bfloat16)
    again, again_optimizer = optimize(made, torch.bfloat16, optimizer, inplace=inplace, **options)
    assert_same_state(again.state_dict(), made.state_dict())
    if inplace:
        return
    losses = [
        (step(made, optimizer, 1, torch.bfloat16), step(again, again_optimizer, 1, torch.bfloat16)) for _ in range(3)
    ]
    assert all(left == right for left, right in losses)
    assert_same_state(again.state_dict(), made.state_dict())


@splits
@inplaces
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_inference_after_training(split: bool, inplace: bool, dtype: torch.dtype | None) -> None:
    model = trainable()
    options: dict[str, Any] = {"split_master_weight_for_bf16": split}
    made, optimizer = optimize(model, torch.bfloat16, OPTIMIZERS["SGD"](model.parameters()), **options)
    for seed in range(2):
        step(made, optimizer, seed, torch.bfloat16)
    expected = copy.deepcopy(made.state_dict())
    ready = optimize(made.eval(), dtype, inplace=inplace)
    assert isinstance(ready.norm, nn.Identity)
    assert_same_state(ready.state_dict(), expected)


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_training_after_inference(dtype: torch.dtype | None) -> None:
    """Folded batch norms stay folded; what was cast trains from its float32 values."""
    model = net()
    ready = optimize(model, dtype, conv_bn_folding=True, linear_bn_folding=False, replace_dropout_with_identity=True)
    ready.train()
    made, optimizer = optimize(ready, torch.bfloat16, OPTIMIZERS["SGD"](ready.parameters()))
    assert made.left.weight.dtype == torch.bfloat16
    assert_same_state(made.state_dict(), model.state_dict())
    before = copy.deepcopy(made.state_dict())
    step(made, optimizer, 0, torch.bfloat16)
    after = made.state_dict()
    assert list(after) == list(before) and not torch.equal(after["left.weight"], before["left.weight"])
    assert {value.dtype for value in after.values()} == {torch.float32, torch.int64}


def test_training_swaps_only_layers_that_multiply() -> None:
    model = trainable()
    made, _ = optimize(model, optimizer=OPTIMIZERS["SGD"](model.parameters()))
    assert type(made.conv) is modules.Conv2d and type(made.left) is modules.Linear
    assert type(made.norm) is nn.BatchNorm2d and type(made.drop) is nn.Dropout
    assert type(made.layer_norm) is nn.LayerNorm and type(made.act) is nn.GELU


def test_frozen_parameters_stay_frozen() -> None:
    model = trainable()
    model.left.requires_grad_(False)
    expected = copy.deepcopy(model.state_dict())
    optimizer = OPTIMIZERS["SGD"]([each for each in model.parameters() if each.requires_grad])
    made, optimizer = optimize(model, torch.bfloat16, optimizer)
    assert made.left.weight.dtype == torch.bfloat16 and not made.left.weight.requires_grad
    step(made, optimizer, 0, torch.bfloat16)
    state = made.state_dict()
    assert torch.equal(state["left.weight"], expected["left.weight"])
    assert not torch.equal(state["right.weight"], expected["right.weight"])


def test_refused_optimizer_changes_nothing() -> None:
    model = trainable()
    optimizer = torch.optim.LBFGS(model.parameters())
    before = snapshot(model)
    with pytest.raises(ValueError, match=r"\[optimize\] E103 got LBFGS"):
        optimize(model, torch.bfloat16, optimizer, inplace=True)
    assert_unchanged(model, before)


def test_scheduler_of_the_returned_optimizer() -> None:
    model = trainable()
    made, optimizer = optimize(model, torch.bfloat16, OPTIMIZERS["SGD"](model.parameters()))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    step(made, optimizer, 0, torch.bfloat16)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.025


def test_gradients_of_float32_training_are_those_of_pytorch() -> None:
    model = trainable()
    made, _ = optimize(model, optimizer=OPTIMIZERS["SGD"](model.parameters()))
    made(image()).square().sum().backward()
    exact = copy.deepcopy(model).double()
    exact(image().double()).square().sum().backward()
    for (name, actual), expected in zip(made.named_parameters(), exact.parameters(), strict=True):
        assert actual.grad is not None and expected.grad is not None, name
        assert_near(actual.grad, expected.grad, 32)  # through batch norm of small batches
