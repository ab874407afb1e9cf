"""`state_dict` and `load_state_dict` of an optimised model are those of the model that was given."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import nn

from .nets import assert_near, assert_same_state, exact, image, net, optimize, randomised, run, sharing

OPTIONS: list[dict[str, Any]] = [
    {},
    {"dtype": torch.bfloat16},
    {"dtype": torch.float16},
    {"dtype": torch.bfloat16, "level": "O0"},
    {"dtype": torch.bfloat16, "concat_linear": True},
    {"concat_linear": True},
    {"graph_mode": True},
]
options = pytest.mark.parametrize("options", OPTIONS, ids=str)
inplace = pytest.mark.parametrize("inplace", [False, True])


@options
@inplace
def test_state_is_the_given_one(options: dict[str, Any], inplace: bool) -> None:
    model = net()
    expected = copy.deepcopy(model.state_dict())
    made = optimize(model, inplace=inplace, **options)
    for _ in range(2):
        assert_same_state(made.state_dict(), expected)
    with torch.no_grad(), torch.autocast("cpu", options.get("dtype"), enabled="dtype" in options):
        made(image())
    assert_same_state(made.state_dict(), expected)


@options
def test_version_numbers_of_modules_stay(options: dict[str, Any]) -> None:
    model = net()
    made = optimize(model, **options).state_dict()
    assert isinstance(made, OrderedDict)
    assert made._metadata == model.state_dict()._metadata


@options
def test_checkpoint_of_the_given_model_loads(options: dict[str, Any]) -> None:
    made, other = optimize(net(0), **options), net(1)
    if "dtype" not in options:
        run(made, image())  # packs weights
    assert str(made.load_state_dict(other.state_dict())) == "<All keys matched successfully>"
    assert_same_state(made.state_dict(), other.state_dict())
    again = optimize(other, **options)
    with torch.no_grad(), torch.autocast("cpu", options.get("dtype"), enabled="dtype" in options):
        assert torch.equal(made(image()), again(image()))


@options
def test_checkpoint_of_the_optimised_model_loads_into_a_plain_one(options: dict[str, Any]) -> None:
    model, plain = net(0), net(1)
    assert str(plain.load_state_dict(optimize(model, **options).state_dict())) == "<All keys matched successfully>"
    assert torch.equal(run(plain, image()), run(model, image()))


@options
def test_state_of_a_part(options: dict[str, Any]) -> None:
    model = nn.Sequential(net(0), net(1)).eval()
    made = optimize(model, **options)
    assert_same_state(made[1].state_dict(), model[1].state_dict())
    assert_same_state(made[0].norm.state_dict(), model[0].norm.state_dict())
    made[0].norm.load_state_dict(model[1].norm.state_dict())
    made[0].conv.load_state_dict(model[1].conv.state_dict())
    model[0].norm.load_state_dict(model[1].norm.state_dict())
    model[0].conv.load_state_dict(model[1].conv.state_dict())
    assert_same_state(made.state_dict(), model.state_dict())
    if "dtype" not in options:
        assert_near(run(made[0], image()), exact(model[0], image()), 4)


@options
def test_keep_vars_gives_parameters(options: dict[str, Any]) -> None:
    model = net()
    state = optimize(model, **options).state_dict(keep_vars=True)
    assert list(state) == list(model.state_dict())
    for name in ("conv.weight", "left.weight", "embedding.weight", "lstm.bias_hh_l0"):
        assert isinstance(state[name], nn.Parameter) and state[name].requires_grad
        assert torch.equal(state[name], model.state_dict()[name])
    assert state["head.weight"] is state["embedding.weight"]


@options
def test_frozen_parameters_stay_frozen(options: dict[str, Any]) -> None:
    made = optimize(net().requires_grad_(False), **options)
    assert not any(parameter.requires_grad for parameter in made.parameters())
    assert not any(value.requires_grad for value in made.state_dict(keep_vars=True).values())


@pytest.mark.parametrize("name", ["conv.weight", "norm.weight", "norm.running_var", "hidden_norm.bias", "left.weight"])
def test_missing_unexpected_and_wrong_keys(name: str) -> None:
    made = optimize(net(), dtype=torch.bfloat16)
    state = made.state_dict()
    value = state.pop(name)
    with pytest.raises(RuntimeError, match=f'Missing key.*"{name}"'):
        made.load_state_dict(state)
    assert made.load_state_dict(state, strict=False).missing_keys == [name]
    with pytest.raises(RuntimeError, match=f'Unexpected key.*"{name}.more"'):
        made.load_state_dict({**state, name: value, f"{name}.more": value})
    with pytest.raises(RuntimeError, match=f"size mismatch for {name}"):
        made.load_state_dict({**state, name: torch.zeros(3, 5)})


def test_bias_that_a_batch_norm_became_is_no_key() -> None:
    made = optimize(net())
    assert made.conv.bias is not None and "conv.bias" not in made.state_dict()
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"conv.bias"'):
        made.load_state_dict({**made.state_dict(), "conv.bias": torch.zeros(8)})


@options
def test_a_part_of_a_checkpoint(options: dict[str, Any]) -> None:
    model, other, made = net(0), net(1), optimize(net(0), **options)
    part = {key: value for key, value in other.state_dict().items() if "norm" in key or "left" in key}
    for each in (model, made):
        each.load_state_dict(part, strict=False)
    assert_same_state(made.state_dict(), model.state_dict())


@options
def test_assign(options: dict[str, Any]) -> None:
    other, made = net(1), optimize(net(0), **options)
    checkpoint = copy.deepcopy(other.state_dict())
    made.load_state_dict(checkpoint, assign=True)
    assert_same_state(
        {k: v for k, v in made.state_dict().items() if k != "head.weight"},
        {k: v for k, v in other.state_dict().items() if k != "head.weight"},
    )
    assert_same_state(checkpoint, copy.deepcopy(other.state_dict()))
    assert made.left.weight.dtype == options.get("dtype", torch.float32)
    if "dtype" not in options:
        assert_near(run(made, image()), exact(other, image()), 4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_checkpoint_loads(dtype: torch.dtype) -> None:
    made = optimize(net(), dtype=torch.bfloat16)
    checkpoint = net(1).to(dtype).state_dict()
    made.load_state_dict(checkpoint)
    for key, value in made.state_dict().items():
        assert value.dtype in (torch.float32, torch.int64) and torch.equal(value, checkpoint[key].to(value.dtype)), key


def test_shared_parameters_stay_shared() -> None:
    made = optimize(net(), dtype=torch.bfloat16)
    assert made.head.weight is made.embedding.weight
    state = made.state_dict()
    assert state["head.weight"].data_ptr() == state["embedding.weight"].data_ptr()


WRITES = {
    "in place": lambda p: p.mul_(2),
    "one row": lambda p: p[0].zero_(),
    "data": lambda p: p.data.add_(1),
    "copy": lambda p: p.copy_(torch.ones_like(p)),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_what_is_written_to_parameters_is_in_the_state(write: Any, dtype: torch.dtype | None) -> None:
    model = net()
    made = optimize(model, dtype=dtype)
    for name in ("left.weight", "embedding.weight", "lstm.weight_ih_l0"):
        before = made.state_dict()[name]
        parameter = made.get_parameter(name)
        kept = parameter.detach().clone()
        with torch.no_grad():
            write(parameter)
        after, now = made.state_dict()[name], parameter.detach()
        assert after.dtype == torch.float32
        assert torch.equal(after.to(now.dtype), now)
        same = now == kept
        assert torch.equal(after[same], before[same])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_folded_layer_that_is_written_becomes_a_checkpoint_that_computes_the_same(
    bias: bool, affine: bool, dtype: torch.dtype | None
) -> None:
    model = randomised(nn.Sequential(nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4, affine=affine)))
    made = optimize(model, dtype=dtype)
    with torch.no_grad():
        made[0].weight.mul_(3)
        made[0].bias.add_(1)
    model.load_state_dict(made.state_dict())
    float32 = nn.functional.conv2d(image(), made[0].weight.float(), made[0].bias.float()).detach()
    torch.testing.assert_close(run(model, image()), float32, rtol=1e-4, atol=1e-4)
    state = made.state_dict()
    made.load_state_dict(state)
    assert_same_state(made.state_dict(), state)


def test_fine_tuning_a_model_that_was_optimised_for_inference() -> None:
    made = optimize(net())
    made.train()
    optimizer = torch.optim.SGD(made.parameters(), lr=0.1)
    made(image()).square().mean().backward()
    optimizer.step()
    made.eval()
    plain = net(1)
    plain.load_state_dict(made.state_dict())
    torch.testing.assert_close(run(plain, image()), run(made, image()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("move", [lambda m: m.float(), lambda m: m.to(memory_format=torch.contiguous_format)])
def test_conversions_of_the_model_keep_the_state(move: Any) -> None:
    model = net()
    made = move(optimize(model, dtype=torch.bfloat16))
    assert_same_state(made.state_dict(), model.state_dict())


def test_parameter_that_is_replaced_is_the_state() -> None:
    made = optimize(net(), dtype=torch.bfloat16)
    made.left.weight = nn.Parameter(torch.ones(16, 4))
    assert torch.equal(made.state_dict()["left.weight"], torch.ones(16, 4))


def test_folded_weight_of_another_shape_is_the_state() -> None:
    made = optimize(net())
    made.conv.weight = nn.Parameter(torch.ones(8, 5, 3, 3))
    assert torch.equal(made.state_dict()["conv.weight"], torch.ones(8, 5, 3, 3))
    assert "norm.weight" in made.state_dict()


def test_cast_that_was_taken_back() -> None:
    made = optimize(net(), dtype=torch.bfloat16).float()
    made.load_state_dict(net(1).state_dict())
    assert torch.equal(made.left.weight, net(1).left.weight)
    assert_same_state(made.state_dict(), net(1).state_dict())
    assert_near(run(made, image()), exact(net(1), image()), 4)


def test_cast_again_after_it_was_taken_back() -> None:
    made = optimize(optimize(net(), dtype=torch.bfloat16).float(), dtype=torch.bfloat16)
    assert made.left.weight.dtype == torch.bfloat16
    assert_same_state(made.state_dict(), net().state_dict())


def drop_bias(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    del state[prefix + "bias"]


def test_user_hook_that_drops_a_key() -> None:
    model = nn.Sequential(nn.Linear(3, 3)).eval()
    model[0].register_state_dict_post_hook(drop_bias)
    assert list(optimize(model, dtype=torch.bfloat16).state_dict()) == ["0.weight"]


def test_originals_are_no_buffers_and_no_parameters() -> None:
    model, made = net(), optimize(net(), dtype=torch.bfloat16)
    names = {name for name, _ in model.named_parameters()}
    gone = {"norm.weight", "norm.bias", "hidden_norm.weight", "hidden_norm.bias"}
    assert {name for name, _ in made.named_parameters()} == (names - gone) | {"conv.bias"}
    assert {name for name, _ in made.named_buffers()} == {"calls"}


def test_sharing_is_compared() -> None:
    one = torch.ones(2)
    assert sharing({"a": one, "b": one, "c": one.clone()}) == ["a", "a", "c"]


def test_load_writes_into_the_same_parameters() -> None:
    made = optimize(net(), dtype=torch.bfloat16)
    before = {name: (parameter, parameter.data_ptr()) for name, parameter in made.named_parameters()}
    made.load_state_dict(net(1).state_dict())
    for name, parameter in made.named_parameters():
        assert (parameter is before[name][0]) and parameter.data_ptr() == before[name][1]
