"""Large parameters are updated in pieces: no number changes, and little float32 memory is there at a time."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from torch_ipex_device.optim import batches, pieces
from torch_ipex_device.optim.classes import CLASSES
from torch_ipex_device.optim.front_end import masters_of
from torch_ipex_device.optim.stand_ins import StandIns

from .cases import CASES, DEVICES, FUSED, IDS, Make, assert_same, gradients, layer, masters, prepare, steps

SIZE = 64  # a multiple of a cache line, as the real one
MODES: dict[str, dict[str, Any]] = {"split": {}, "master": {"split": False}, "float16": {"dtype": torch.float16}}
ELEMENTWISE = [case for case in CASES if CLASSES[case[0]].is_elementwise]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_SIZE", SIZE)


def trained(make: Make, options: dict[str, Any], device: str, count: int = 4, **how: Any) -> Any:
    net = layer(device, rows=11, columns=13)
    optimizer = prepare(make(net.parameters(), **options), [net], **how)
    steps(optimizer, list(net.parameters()), count)
    return net, optimizer


def assert_trained_alike(got: Any, expected: Any) -> None:
    assert_same(masters(got[1], list(got[0].parameters())), masters(expected[1], list(expected[0].parameters())))
    for a, b in zip(got[0].parameters(), expected[0].parameters(), strict=True):
        mine, other = got[1].state.get(a, {}), expected[1].state.get(b, {})
        assert list(mine) == list(other)
        assert_same([torch.as_tensor(v) for v in mine.values()], [torch.as_tensor(v) for v in other.values()])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("make", "options"), CASES, ids=IDS)
def test_numbers_are_those_of_float32(make: Make, options: dict[str, Any], device: str, mode: str) -> None:
    """Of classes that look at a whole parameter too, which get it as a whole."""
    assert_trained_alike(trained(make, options, device, **MODES[mode]), trained(make, options, device, dtype=None))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("make", "options"), [case for case in CASES if case[0] in FUSED], ids=str)
def test_fused_steps(make: Make, options: dict[str, Any], device: str) -> None:
    expected = trained(make, {**options, "fused": True}, device, dtype=None)
    assert_trained_alike(trained(make, options, device, fuse=True), expected)


def test_which_classes_get_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    enter = StandIns.__enter__
    monkeypatch.setattr(
        StandIns, "__enter__", lambda self: (sizes.append(sum(m.tensor.numel() for m in self._members)), enter(self))[1]
    )
    for make, options in CASES:
        sizes.clear()
        trained(make, options, "cpu", count=1)
        assert sizes == ([64, 64, 15 + 11] if CLASSES[make].is_elementwise else [143, 11])


@pytest.mark.parametrize(("make", "options"), ELEMENTWISE, ids=str)
def test_size_of_pieces_may_change_between_steps(
    make: Make, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = trained(make, options, "cpu", dtype=None, count=6)
    net, optimizer = trained(make, options, "cpu", count=2)
    for size in (1000, 16):
        monkeypatch.setattr(batches, "_SIZE", size)
        steps(optimizer, list(net.parameters()), 2, first=2 if size == 1000 else 4)
    assert_trained_alike((net, optimizer), expected)


def convolution(device: str, format: torch.memory_format) -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv2d(8, 6, 3, bias=False).to(device, memory_format=format)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("what", ["gradient", "state", "model"])
def test_other_strides(what: str, split: bool, device: str) -> None:
    """Of the gradient, of loaded state, and of a model that is converted after it was prepared."""
    net, plain = convolution(device, torch.channels_last), convolution(device, torch.channels_last)
    runs = [
        (prepare(torch.optim.AdamW(net.parameters()), [net], split), net),
        (torch.optim.AdamW(plain.parameters()), plain),
    ]
    for optimizer, model in runs:
        for step in range(4):
            grad = gradients([model.weight], step)[0].to(model.weight.device, model.weight.dtype)
            layout = torch.contiguous_format if what == "gradient" else torch.channels_last
            model.weight.grad = grad.contiguous(memory_format=layout)
            optimizer.step()
            if what == "state" and step == 1:
                state = copy.deepcopy(optimizer.state_dict())
                state["state"][0]["exp_avg"] = state["state"][0]["exp_avg"].contiguous()
                optimizer.load_state_dict(state)
            if what == "model" and step == 1:
                model.to(memory_format=torch.contiguous_format)
    assert_same(masters(runs[0][0], [net.weight]), [plain.weight])


def test_momentum_that_begins_later() -> None:
    """State that some later step makes, beside none."""

    def train(dtype: torch.dtype | None) -> Any:
        net, optimizer = trained(torch.optim.SGD, {"lr": 0.1}, "cpu", count=2, dtype=dtype)
        optimizer.param_groups[0]["momentum"] = 0.9
        steps(optimizer, list(net.parameters()), 3, first=2)
        return net, optimizer

    assert_trained_alike(train(torch.bfloat16), train(None))


@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=str)
def test_loss_scaling_stops_all_pieces(options: dict[str, Any]) -> None:
    net = layer(rows=11, columns=13)
    optimizer = prepare(torch.optim.AdamW(net.parameters(), **options), [net])
    scaler = torch.amp.GradScaler("cpu")
    for value in (1.0, float("inf"), 1.0):
        before = masters(optimizer, list(net.parameters()))
        scaler.scale(net(torch.full((1, 13), value).bfloat16()).float().sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        assert torch.equal(before[0], masters(optimizer, [net.weight])[0]) == (value != 1.0)
    assert float(optimizer.state[net.weight]["step"]) == 2


def test_little_memory_is_there_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda count, **how: (asked.append(count), empty(count, **how))[1])
    net = nn.Linear(100, 100)
    optimizer = prepare(torch.optim.SGD(net.parameters(), lr=0.1), [net])
    asked.clear()
    steps(optimizer, list(net.parameters()), 2)
    assert len(asked) == 2 and max(asked) < 8 * SIZE
    assert {value.dtype for value in masters_of(optimizer)._stored.values()} == {torch.int16}


def test_an_error_leaves_the_optimizer_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    net, optimizer = trained(torch.optim.AdamW, {"lr": 0.01}, "cpu", count=2)
    parameters, groups = list(net.parameters()), optimizer.param_groups
    calls: list[int] = []
    read = pieces._Piece.read

    def fail(self: Any, like: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        read(self, like)

    monkeypatch.setattr(pieces._Piece, "read", fail)
    with pytest.raises(MemoryError):
        steps(optimizer, parameters, 1, first=2)
    assert optimizer.param_groups is groups
    assert [id(p) for p in groups[0]["params"]] == [id(p) for p in parameters]
    assert set(optimizer.state) == set(parameters) and float(optimizer.state[net.weight]["step"]) == 2
    steps(optimizer, parameters, 1, first=2)
    assert float(optimizer.state[net.weight]["step"]) == 3
