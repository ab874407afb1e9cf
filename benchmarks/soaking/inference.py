"""Inference: eager, in mixed precision, in int8, from two threads, under the profiler, after a change of settings."""

from __future__ import annotations

import copy
import tempfile
import threading
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

import torch_ipex_device as ipex

from .workload import DEVICE, Pair, Workload

_BFLOAT16 = 25.0  # dB
_INT8 = 15.0
_CAPACITIES = (0, 8, 64, 1024)


def eager(work: Workload) -> None:
    """A forward, without gradients or in inference mode."""
    _forward(work, work.pair())


def _forward(work: Workload, pair: Pair) -> None:
    batch = work.batch(pair.cpu)
    with work.choice.choice((torch.no_grad, torch.inference_mode))():
        work.agree(pair.ipex(batch.to(DEVICE)), lambda: pair.cpu(batch))


def automatic_mixed_precision(work: Workload) -> None:
    """`ipex.AutoMixPrecision` in bfloat16."""
    pair = work.pair()
    batch = work.batch(pair.cpu)
    with torch.no_grad(), ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
        work.agree(pair.ipex(batch.to(DEVICE)), lambda: pair.cpu(batch), _BFLOAT16)


def autocast(work: Workload) -> None:
    """`torch.autocast` in bfloat16."""
    pair = work.pair()
    batch = work.batch(pair.cpu)
    with torch.no_grad(), torch.autocast("ipex", torch.bfloat16):
        actual = pair.ipex(batch.to(DEVICE))
    work.agree(actual, lambda: pair.cpu(batch), _BFLOAT16)


def int8(work: Workload) -> None:
    """Calibrates, writes the recipe, reads it and infers."""
    pair = work.pair()
    batch = work.batch(pair.cpu, smallest=4)
    conf = ipex.AmpConf(torch.int8)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        with ipex.AutoMixPrecision(conf, running_mode="calibration"):
            for part in batch.to(DEVICE).split(2):
                pair.ipex(part).cpu()
        path = Path(folder, "recipe.json")
        conf.save(path)
        with ipex.AutoMixPrecision(ipex.AmpConf(torch.int8, path), running_mode="inference"):
            work.agree(pair.ipex(batch.to(DEVICE)).cpu(), lambda: pair.cpu(batch), _INT8)


def threads(work: Workload) -> None:
    """Two threads share a model."""
    pair = work.pair()
    batches = [work.batch(pair.cpu) for _ in range(6)]
    found: list[Tensor | None] = [None] * len(batches)

    def run(places: range) -> None:
        with torch.no_grad():
            for place in places:
                found[place] = pair.ipex(batches[place].to(DEVICE)).cpu()

    runners = [threading.Thread(target=run, args=(range(first, len(batches), 2),)) for first in range(2)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    for batch, actual in zip(batches, found, strict=True):
        assert actual is not None, "a thread failed"
        work.agree(actual, lambda batch=batch: pair.cpu(batch))  # type: ignore[misc]


def profiled(work: Workload) -> None:
    """A forward under `torch.profiler`."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.PrivateUse1], record_shapes=True) as found:
        _forward(work, work.pair())
    assert any(event.name.startswith("ipex::") for event in found.events()), "no event of the device"


def settings(work: Workload) -> None:
    """Changes the capacity of the primitive cache and whether results may be left open; then a forward."""
    ipex._C.set_primitive_cache_capacity(work.choice.choice(_CAPACITIES))
    torch.ipex.set_eager_fusion(work.choice.random() < 0.8)  # type: ignore[attr-defined]
    _forward(work, work.pair())


def fallback(work: Workload) -> None:
    """Operators that PyTorch's CPU kernels compute."""
    x = torch.randn(work.choice.randint(2, 200), work.choice.randint(2, 50))

    def answer(x: Tensor) -> Tensor:
        y = torch.hypot(x, x.flip(0)).cumsum(0).sort(1).values
        z = torch.fft.rfft(x).abs().sum(1, keepdim=True) + torch.linalg.vector_norm(x, dim=1, keepdim=True)
        return torch.cat((y, z, x.new_tensor(x.shape).expand(len(x), 2)), 1)

    work.agree(answer(x.to(DEVICE)), lambda: answer(x))


def optimized(work: Workload) -> None:
    """`ipex.optimize` for inference of a model on CPU or ipex."""
    pair = work.pair()
    batch = work.batch(pair.cpu)
    device = work.choice.choice((torch.device("cpu"), DEVICE))
    dtype = work.choice.choice((torch.float32, torch.bfloat16))
    model: nn.Module = ipex.optimize(copy.deepcopy(pair.cpu).to(device), dtype=dtype, inplace=True)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        actual = model(batch.to(device))
    work.agree(actual, lambda: pair.cpu(batch), None if dtype == torch.float32 else _BFLOAT16)
