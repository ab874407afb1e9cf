"""MultiStreamModule: batches are split by hints, run in streams, and joined; results are those of the module."""

from __future__ import annotations

import copy
import logging
import os
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from torch_ipex_device.cpu.runtime import CPUPool, MultiStreamModule, MultiStreamModuleHint, get_default_num_streams

CORES = sorted(os.sched_getaffinity(0))
POOL = CPUPool(CORES)
TWO = pytest.mark.skipif(len(CORES) < 2, reason="needs two cores")
Hint = MultiStreamModuleHint


class Sizes(nn.Module):
    """Remembers the batches that it got."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.size(0))
        return x * 2


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5)).eval()


@pytest.mark.parametrize("device", ["cpu", "ipex"])
@pytest.mark.parametrize("batch", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("streams", ["AUTO", 1, 2])
def test_results_are_those_of_the_module(device: str, batch: int, streams: int | str) -> None:
    model, x = net().to(device), torch.randn(batch, 3, 8, 8, device=device)
    module = MultiStreamModule(model, streams, POOL)
    with torch.no_grad():
        torch.testing.assert_close(module(x).cpu(), model(x).cpu(), rtol=1e-5, atol=1e-5)


@TWO
@pytest.mark.parametrize(("batch", "sizes"), [(5, [3, 2]), (4, [2, 2]), (1, [1]), (0, [0])])
def test_first_streams_get_more(batch: int, sizes: list[int]) -> None:
    model = Sizes()
    MultiStreamModule(model, 2, CPUPool(CORES[:2]))(torch.ones(batch, 3))
    assert sorted(model.seen, reverse=True) == sizes


def test_shares_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = CPUPool(CORES)
    pool.core_ids = [10, 11, 12, 13, 14]
    monkeypatch.setattr("torch_ipex_device.cpu.runtime.multi_stream.Task", lambda model, pool: pool.core_ids)
    monkeypatch.setattr("torch_ipex_device.cpu.runtime.topology.process_cores", lambda: frozenset(range(20)))
    assert MultiStreamModule(Sizes(), 3, pool).tasks == [[10, 11], [12, 13], [14]]
    assert MultiStreamModule(Sizes(), "auto", pool).tasks == [[10], [11], [12], [13], [14]]
    assert get_default_num_streams(pool) == 5


def test_more_streams_than_cores_are_clamped(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "torch_ipex_device"):
        module = MultiStreamModule(Sizes(), 50, POOL)
    assert module.get_stream_number() == module.num_streams == len(CORES)
    assert "got 50 streams" in caplog.text


@pytest.mark.parametrize("streams", [1, "AUTO"])
def test_raw_results_are_a_list(streams: int | str) -> None:
    module = MultiStreamModule(Sizes(), streams, POOL, concat_output=False)
    results = module(torch.ones(7, 2))
    assert isinstance(results, list) and len(results) == module.num_streams
    assert torch.equal(torch.cat(results), torch.full((7, 2), 2.0))


class Structured(nn.Module):
    """Arguments and results of several structures."""

    def forward(self, pair: Any, scale: float, *, mask: Tensor) -> Any:
        x, (y, z) = pair
        return {"sum": x + y * scale, "rest": [mask.t() * 1, (z, scale)], "count": 3}


def test_structures_follow_the_hints() -> None:
    x, y, z = torch.randn(5, 2), torch.randn(5, 2), torch.randn(3, 5)
    arguments = ((x, [y, z]), 2.0)
    mask = torch.randn(4, 5)
    module = MultiStreamModule(
        Structured(),
        "AUTO",
        POOL,
        input_split_hint=Hint((0, [0, 1]), None, mask=-1),
        output_concat_hint=Hint(sum=0, rest=[0, (1, None)], count=None),
    )
    found, expected = module(*arguments, mask=mask), Structured()(*arguments, mask=mask)
    assert torch.equal(found["sum"], expected["sum"])
    assert torch.equal(found["rest"][0], expected["rest"][0])
    assert torch.equal(found["rest"][1][0], z)
    assert (found["rest"][1][1], found["count"]) == (2.0, 3)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1, x.sum(1)


def test_tuple_of_results() -> None:
    x = torch.randn(5, 3)
    found = MultiStreamModule(Pair(), "AUTO", POOL, output_concat_hint=Hint((0, 0)))(x)
    assert isinstance(found, tuple)
    torch.testing.assert_close(found, Pair()(x))


def test_parameters_are_those_of_the_module() -> None:
    model = net()
    module = MultiStreamModule(model, "AUTO", POOL)
    assert [id(each) for each in module.parameters()] == [id(each) for each in model.parameters()]
    assert not module.eval().model.training


def test_copies_run() -> None:
    module = MultiStreamModule(net(), "AUTO", POOL)
    x = torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        twin = copy.deepcopy(module)
        assert torch.equal(twin(x), module(x))
        twin.model[3].bias.add_(1)
        torch.testing.assert_close(twin(x), module(x) + 1)


def test_hint_remembers_what_it_got() -> None:
    hint = Hint(0, [1, None], x={"y": 2})
    assert (hint.args, hint.kwargs, hint.args_len, hint.kwargs_len) == ([0, [1, None]], {"x": {"y": 2}}, 2, 1)


@pytest.mark.parametrize("value", ["0", 1.0, True, {0}, [0, "x"]])
def test_other_hints_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"\[MultiStreamModuleHint\] E101 got .*; accepted: integers, None"):
        Hint(value)


@TWO
@pytest.mark.parametrize(
    ("hint", "args", "kwargs", "text"),
    [
        (Hint(0), (torch.ones(4, 2), torch.ones(4, 2)), {}, "got a tuple of 2 where input_split_hint has"),
        (Hint(0), (), {"x": torch.ones(4, 2)}, "got a tuple of 0"),
        (Hint(0), (3,), {}, "got int where input_split_hint has 0"),
        (Hint(2), (torch.ones(4, 2),), {}, r"got a tensor \[4, 2\] where input_split_hint has 2"),
        (Hint(0, 0), (torch.ones(4, 2), torch.ones(3, 2)), {}, r"got sizes \[3, 4\] to split"),
        (Hint(None), (torch.ones(4, 2),), {}, "got an input_split_hint that splits nothing"),
        (Hint({"a": 0}), ({"b": 1},), {}, r"got entries \['b'\]"),
    ],
)
def test_arguments_that_differ_from_the_hint_are_refused(hint: Hint, args: Any, kwargs: Any, text: str) -> None:
    module = MultiStreamModule(Sizes(), 2, POOL, input_split_hint=hint)
    with pytest.raises(ValueError, match=rf"\[MultiStreamModule\] E103 {text}"):
        module(*args, **kwargs)


@TWO
@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (Hint(0), "got a tuple of 2 where output_concat_hint has 0"),
        (Hint((0, 0, 0)), "got a tuple of 2"),
        (Hint((0, 1)), r"got a tensor \[2\] where output_concat_hint has 1"),
        (Hint(y=0), "got a tuple of 2"),
        (Hint(0, 0), "got 2 entries and 0 by name"),
        (Hint(), "got 0 entries"),
    ],
)
def test_results_that_differ_from_the_hint_are_refused(hint: Hint, text: str) -> None:
    with pytest.raises(ValueError, match=rf"\[MultiStreamModule\] E103 {text}"):
        MultiStreamModule(Pair(), 2, POOL, output_concat_hint=hint)(torch.ones(4, 2))


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"model": len}, TypeError, "E101 got builtin_function_or_method as model"),
        ({"num_streams": 0}, ValueError, "E103 got num_streams=0; accepted: 1 or more"),
        ({"num_streams": "MANY"}, TypeError, "E101 got num_streams='MANY'"),
        ({"num_streams": 1.0}, TypeError, "E101 got num_streams=1.0"),
        ({"cpu_pool": [0]}, TypeError, "E101 got list as cpu_pool; accepted: CPUPool"),
        ({"input_split_hint": 0}, TypeError, "E101 got 0 as input_split_hint; accepted: MultiStreamModuleHint"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=rf"\[MultiStreamModule\] {text}"):
        MultiStreamModule(**{"model": Sizes(), "cpu_pool": POOL} | options)
