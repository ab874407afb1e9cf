"""Training on master weights: what programs do to parameters, gradients and optimizers around the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from torch_ipex_device.optim.front_end import master_of, prepare_optimizer, set_master

from .cases import DEVICES, assert_same, gradients, layer, masters, prepare, steps


def adamw(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(net.parameters(), lr=0.01)


def test_small_updates_are_not_lost() -> None:
    net = layer()
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=1.0), [net])
    set_master(optimizer, net.bias, torch.ones(5))
    for _ in range(100):
        net.bias.grad = torch.full_like(net.bias, 2.0**-12)
        optimizer.step()
    assert master_of(optimizer, net.bias).tolist() == [1 - 100 * 2.0**-12] * 5


def test_learning_rates_of_groups_and_schedulers() -> None:
    def train(dtype: torch.dtype | None) -> list[Tensor]:
        net = layer()
        groups = [{"params": [net.weight], "lr": 0.1}, {"params": [net.bias]}]
        optimizer = prepare(torch.optim.SGD(groups, lr=0.5, momentum=0.9), [net], dtype=dtype)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, [0.1, 0.5], total_steps=10)
        for step in range(8):
            steps(optimizer, list(net.parameters()), 1, first=step)
            scheduler.step()
        return masters(optimizer, list(net.parameters()))

    assert_same(train(torch.bfloat16), train(None))


@pytest.mark.filterwarnings("error")
def test_a_scheduler_made_before_keeps_working() -> None:
    net, plain_net = layer(), layer()
    optimizer, plain = adamw(net), adamw(plain_net)
    schedulers = [torch.optim.lr_scheduler.StepLR(each, 2) for each in (optimizer, plain)]
    assert prepare(optimizer, [net]) is optimizer
    for step in range(4):
        for each, model, scheduler in ((optimizer, net, schedulers[0]), (plain, plain_net, schedulers[1])):
            steps(each, list(model.parameters()), 1, first=step)
            scheduler.step()
    assert_same(masters(optimizer, list(net.parameters())), list(plain_net.parameters()))


def test_gradients_accumulate_in_the_parameters_of_the_model() -> None:
    net = layer()
    optimizer = prepare(adamw(net), [net])
    for _ in range(2):
        net(torch.ones(1, 7).bfloat16()).sum().backward()
    assert net.weight.grad is not None and net.weight.grad.dtype == torch.bfloat16
    assert net.weight.grad.tolist() == [[2.0] * 7] * 5
    optimizer.step()
    assert net.weight.grad.tolist() == [[2.0] * 7] * 5
    optimizer.zero_grad()
    assert net.weight.grad is None


@pytest.mark.parametrize("device", DEVICES)
def test_clipped_gradients_are_used(device: str) -> None:
    net = layer(device)
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=1.0), [net])
    before = masters(optimizer, [net.weight])[0]
    net(torch.ones(1, 7, device=device).bfloat16()).sum().backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    assert net.weight.grad is not None
    clipped = net.weight.grad.float().cpu()
    optimizer.step()
    assert clipped.norm() < 1
    assert_same(masters(optimizer, [net.weight]), [before - clipped])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=str)
def test_loss_scaling(device: str, dtype: torch.dtype, options: dict[str, Any]) -> None:
    """A gradient that float16 cannot hold after unscaling arrives, one that overflows stops the step."""
    net = layer(device)
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=1.0, **options), [net], dtype=dtype)
    scaler = torch.amp.GradScaler(device, init_scale=2.0**16)
    set_master(optimizer, net.bias, torch.zeros(5))
    tiny = 2.0**-28
    scaler.scale((net(torch.ones(1, 7, device=device, dtype=dtype)).float() * tiny).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert master_of(optimizer, net.bias).tolist() == [-tiny] * 5
    optimizer.zero_grad()
    before = masters(optimizer, [net.bias])[0]
    scaler.scale(net(torch.full((1, 7), float("inf"), device=device, dtype=dtype)).float().sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**15
    assert_same(masters(optimizer, [net.bias]), [before])


@pytest.mark.parametrize("fuse", [False, True])
def test_parameters_without_gradient_are_skipped(fuse: bool) -> None:
    """Also those that get their first gradient later, which PyTorch's fused SGD does not survive."""

    def train(dtype: torch.dtype | None, fuse: bool) -> list[Tensor]:
        net = layer()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
        prepare(optimizer, [net], fuse=fuse, dtype=dtype)
        for step in range(4):
            weight, bias = gradients(list(net.parameters()), step)
            net.weight.grad = weight.to(net.weight.dtype)
            net.bias.grad = None if step < 2 else bias.to(net.bias.dtype)
            optimizer.step()
        return masters(optimizer, list(net.parameters()))

    for a, b in zip(train(torch.bfloat16, fuse), train(None, False), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("device", DEVICES)
def test_steps_are_seen_by_what_read_the_weights_before(device: str, split: bool) -> None:
    """Operators keep packed copies of weights until somebody writes to them; autograd counts writes."""
    net = layer(device, rows=32, columns=64)
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=10.0), [net], split)
    x, version = torch.ones(4, 64, device=device).bfloat16(), net.weight._version
    for step in range(3):
        with torch.no_grad():
            got = torch.ops.torch_ipex.linear(x, net.weight, net.bias)
            expected = nn.functional.linear(x.cpu().float(), net.weight.cpu().float(), net.bias.cpu().float())
        torch.testing.assert_close(got.cpu().float(), expected, rtol=2**-7, atol=2**-4)
        steps(optimizer, list(net.parameters()), 1, first=step)
        assert net.weight._version > version
        version = net.weight._version


def test_freezing_half_way_keeps_a_parameter() -> None:
    net = layer()
    optimizer = prepare(adamw(net), [net])
    for _ in range(2):
        net(torch.ones(1, 7).bfloat16()).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    net.weight.requires_grad_(False)
    before = masters(optimizer, list(net.parameters()))
    net(torch.ones(1, 7).bfloat16()).sum().backward()
    optimizer.step()
    after = masters(optimizer, list(net.parameters()))
    assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])


def test_shared_parameters_stay_shared() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    net = nn.Sequential(first, second)
    optimizer = prepare(adamw(net), [net])
    assert second.weight is first.weight and optimizer.param_groups[0]["params"][0] is first.weight
    steps(optimizer, list(net.parameters()), 2)
    assert second.weight is first.weight


def test_parameter_objects_and_their_hooks_stay() -> None:
    net = layer()
    weight, calls = net.weight, []
    weight.register_hook(lambda grad: calls.append(grad.dtype))
    weight.register_post_accumulate_grad_hook(lambda parameter: calls.append(parameter.grad.dtype))
    optimizer = prepare(adamw(net), [net])
    assert net.weight is weight and weight.dtype == torch.bfloat16
    for _ in range(2):
        net(torch.ones(1, 7).bfloat16()).sum().backward()
        optimizer.step()
    assert calls == [torch.bfloat16] * 4


def test_gradients_that_are_there_already_are_cast() -> None:
    net = layer()
    net(torch.ones(1, 7)).sum().backward()
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=1.0), [net])
    before = masters(optimizer, [net.weight])[0]
    assert net.weight.grad is not None and net.weight.grad.dtype == torch.bfloat16
    optimizer.step()
    assert_same(masters(optimizer, [net.weight]), [before - 1])


def test_steps_made_before_count() -> None:
    def train(when: int) -> list[Tensor]:
        net = layer()
        optimizer = adamw(net)
        for step in range(6):
            if step == when:
                prepare(optimizer, [net])
            steps(optimizer, list(net.parameters()), 1, first=step)
        return masters(optimizer, list(net.parameters()))

    assert_same(train(3), train(0))


@pytest.mark.parametrize("write", ["data", "no_grad", "load_state_dict"])
@pytest.mark.parametrize("split", [True, False])
def test_what_the_program_writes_into_a_parameter_stays(write: str, split: bool) -> None:
    net = layer()
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=1.0), [net], split)
    if write == "data":
        net.weight.data[1:] = 0
    elif write == "no_grad":
        with torch.no_grad():
            net.weight[1:].zero_()
    else:
        net.load_state_dict({"weight": net.weight.detach().clone().index_fill_(0, torch.arange(1, 5), 0)}, strict=False)
    kept = masters(optimizer, [net.weight])[0]
    assert torch.equal(kept[0], layer().weight[0])  # what was not written still has all bits
    assert kept[1:].abs().max() < 1e-40
    net.weight.grad = torch.ones_like(net.weight)
    optimizer.step()
    torch.testing.assert_close(net.weight[1:].float(), torch.full((4, 7), -1.0))


@pytest.mark.parametrize("split", [True, False])
def test_model_to_another_device_takes_its_masters_along(split: bool) -> None:
    net, plain = layer(), layer("ipex")
    optimizer, other = prepare(adamw(net), [net], split), adamw(plain)
    net.to("ipex")
    steps(optimizer, list(net.parameters()), 3)
    steps(other, list(plain.parameters()), 3)
    assert_same(masters(optimizer, list(net.parameters())), list(plain.parameters()))


def test_model_to_float32_trains_as_float32() -> None:
    net = layer()
    optimizer = prepare(adamw(net), [net])
    net.float()
    steps(optimizer, list(net.parameters()), 2)
    assert net.weight.dtype == torch.float32
    assert_same(masters(optimizer, [net.weight]), [net.weight])


def test_parameters_added_later_have_their_master() -> None:
    net, frozen = layer(), layer(rows=3)
    optimizer = prepare(adamw(net), [net, frozen])
    assert frozen.weight.dtype == torch.bfloat16
    optimizer.add_param_group({"params": frozen.parameters(), "lr": 0.1})
    steps(optimizer, list(frozen.parameters()), 2)
    plain = layer(rows=3)
    other = torch.optim.AdamW(plain.parameters(), lr=0.1)
    steps(other, list(plain.parameters()), 2)
    assert_same(masters(optimizer, list(frozen.parameters())), list(plain.parameters()))
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": [net.weight]})


def test_hooks_see_the_parameters_of_the_model_and_run_once() -> None:
    net, seen = layer(), []
    optimizer = adamw(net)

    def look(each: torch.optim.Optimizer, *_: object) -> None:
        seen.append(each.param_groups[0]["params"][0] is net.weight)

    optimizer.register_step_pre_hook(look)
    prepare(optimizer, [net])
    optimizer.register_step_post_hook(look)
    steps(optimizer, list(net.parameters()), 1)
    assert seen == [True, True]


def closure_of(net: nn.Linear, optimizer: torch.optim.Optimizer, calls: list[float]) -> Callable[[], float]:
    def closure() -> float:
        assert net.weight.dtype == torch.bfloat16 and optimizer.param_groups[0]["params"][0] is net.weight
        optimizer.zero_grad()
        loss = net(torch.ones(1, 7).bfloat16()).float().square().sum()
        loss.backward()
        calls.append(loss.item())
        return loss.item()

    return closure


def test_a_closure_is_called_with_the_parameters_of_the_model() -> None:
    net, calls = layer(), []
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=0.01), [net])
    losses = [optimizer.step(closure_of(net, optimizer, calls)) for _ in range(3)]
    assert losses == calls and len(calls) == 3 and calls[2] < calls[0]


class Twice(torch.optim.SGD):
    """Evaluates the model before and after its step."""

    def step(self, closure: Any = None) -> Any:
        closure()
        super().step()
        return closure()


def test_an_optimizer_of_the_program_may_call_the_closure_often() -> None:
    net, calls = layer(), []
    optimizer = prepare(Twice(net.parameters(), lr=0.01), [net])
    assert isinstance(optimizer, Twice)
    with torch.enable_grad():
        assert optimizer.step(closure_of(net, optimizer, calls)) == calls[1]
    assert len(calls) == 2 and calls[1] < calls[0]


@pytest.mark.parametrize("make", [torch.optim.SGD, Twice])
def test_an_error_in_the_closure_leaves_everything_in_place(make: Callable[..., torch.optim.Optimizer]) -> None:
    net = layer()
    optimizer = prepare(make(net.parameters(), lr=0.01), [net])
    before = masters(optimizer, list(net.parameters()))

    def closure() -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(p) for p in net.parameters()]
    assert_same(masters(optimizer, list(net.parameters())), before)
    assert set(optimizer.state) <= set(net.parameters())


def embedding(device: str) -> nn.Embedding:
    torch.manual_seed(0)
    return nn.Embedding(10, 4, sparse=True).to(device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize("make", [torch.optim.SGD, torch.optim.Adagrad, torch.optim.SparseAdam])
def test_sparse_gradients_work_where_torch_takes_them(
    make: Callable[..., torch.optim.Optimizer], fuse: bool, device: str
) -> None:
    net, plain = embedding(device), embedding(device)
    optimizer, other = prepare(make(net.parameters(), lr=0.1), [net], fuse=fuse), make(plain.parameters(), lr=0.1)
    index = torch.tensor([1, 3, 3], device=device)
    for _ in range(3):
        for each, model in ((optimizer, net), (other, plain)):
            each.zero_grad()
            model(index).float().sum().backward()
            assert model.weight.grad.is_sparse
            each.step()
    assert_same(masters(optimizer, [net.weight]), [plain.weight])


def test_sparse_gradients_fail_where_torch_refuses_them_and_change_nothing() -> None:
    net = embedding("cpu")
    optimizer = prepare(torch.optim.Adam(net.parameters()), [net], fuse=True)
    before = masters(optimizer, [net.weight])
    net(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="does not support sparse gradients"):
        optimizer.step()
    assert_same(masters(optimizer, [net.weight]), before)
    assert optimizer.param_groups[0]["params"] == [net.weight] and optimizer.param_groups[0]["fused"] is None


@pytest.mark.parametrize("first", [(torch.bfloat16, True), (torch.bfloat16, False), (torch.float16, False)], ids=str)
@pytest.mark.parametrize(
    "second", [(torch.bfloat16, True), (torch.bfloat16, False), (torch.float16, False), (torch.float32, False)], ids=str
)
def test_preparing_again_keeps_the_masters(first: tuple[torch.dtype, bool], second: tuple[torch.dtype, bool]) -> None:
    net, plain = layer(), layer()
    optimizer, other = adamw(net), adamw(plain)
    for dtype, split in (first, second):
        prepare(optimizer, [net], split, dtype=dtype)
        assert net.weight.dtype == dtype
        assert_same(masters(optimizer, list(net.parameters())), list(plain.parameters()))
        for each, model in ((optimizer, net), (other, plain)):
            steps(each, list(model.parameters()), 2)
    assert_same(masters(optimizer, list(net.parameters())), list(plain.parameters()))


@pytest.mark.parametrize("dtype", [None, torch.float32], ids=str)
@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.LBFGS])
def test_float32_stays_as_it_is(make: Callable[..., torch.optim.Optimizer], dtype: torch.dtype | None) -> None:
    net = layer()
    optimizer = make(net.parameters())
    assert prepare(optimizer, [net], dtype=dtype) is optimizer
    assert net.weight.dtype == torch.float32 and type(optimizer) is make


def test_bad_arguments() -> None:
    net = layer()
    with pytest.raises(TypeError, match="E101 got Linear as optimizer"):
        prepare_optimizer(net, [], None, True, True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"E103 got dtype=torch\.int8"):
        prepare(adamw(net), [net], dtype=torch.int8)
    net.double()
    with pytest.raises(TypeError, match=r"E101 got Linear.weight as torch\.float64"):
        prepare(adamw(net), [net])


def test_optimizers_that_would_not_see_the_masters_are_refused_and_nothing_is_cast() -> None:
    net = layer()
    with pytest.raises(ValueError, match="E103 got LBFGS, which keeps parameters in `_params` too"):
        prepare(torch.optim.LBFGS(net.parameters()), [net])
    with pytest.raises(ValueError, match="E103 got SGD with differentiable=True"):
        prepare(torch.optim.SGD(net.parameters(), differentiable=True), [net])
    optimizer = adamw(net)
    optimizer.step = lambda: None  # type: ignore[assignment, method-assign]
    with pytest.raises(ValueError, match="E103 got AdamW with a replaced `step`"):
        prepare(optimizer, [net])
    assert net.weight.dtype == torch.float32
