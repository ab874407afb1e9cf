"""Models and data on the move: between devices, through copies, checkpoints and a loader, and into errors."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import torch
from torch.utils.data import DataLoader, TensorDataset

import torch_ipex_device as ipex

from .workload import DEVICE, Workload


def there_and_back(work: Workload) -> None:
    """Moves a model to ipex, uses it and moves it back."""
    pair = work.pair()
    batch = work.batch(pair.cpu)
    model = copy.deepcopy(pair.cpu).to(DEVICE)
    with torch.no_grad():
        for _ in range(2):  # the second packs weights
            work.agree(model(batch.to(DEVICE)), lambda: pair.cpu(batch))
    work.same(model.to("cpu").state_dict(), pair.cpu.state_dict())


def checkpoint(work: Workload) -> None:
    """Writes a state dict to memory and loads it into a new model."""
    pair = work.pair()
    batch, file = work.batch(pair.cpu), io.BytesIO()
    torch.save(pair.ipex.state_dict(), file)
    file.seek(0)
    model = type(pair.cpu)().eval().to(work.choice.choice((torch.device("cpu"), DEVICE)))
    model.load_state_dict(torch.load(file, map_location=work.choice.choice((None, "cpu", "ipex"))))
    with torch.no_grad():
        work.agree(model.to(DEVICE)(batch.to(DEVICE)), lambda: pair.cpu(batch))


def deep_copy(work: Workload) -> None:
    """Copies a model whose weights are packed."""
    pair = work.pair()
    batch = work.batch(pair.cpu)
    model = copy.deepcopy(pair.ipex)
    with torch.no_grad():
        work.agree(model(batch.to(DEVICE)), lambda: pair.cpu(batch))


def loader(work: Workload) -> None:
    """Reads batches from a worker process."""
    pair = work.pairs[0]
    images = torch.randn(12, 3, 16, 16)
    for (batch,) in DataLoader(TensorDataset(images), batch_size=5, num_workers=1):
        with torch.no_grad():
            work.agree(pair.ipex(batch.to(DEVICE)), lambda batch=batch: pair.cpu(batch))  # type: ignore[misc]


def errors(work: Workload) -> None:
    """Calls that fail, of the kinds that users make; then a forward."""
    pair = work.pairs[0]
    image, vector = torch.randn(2, 3, 9, 9), torch.randn(5, device=DEVICE)

    def forbidden() -> object:
        with torch.ipex.fallback_policy("error"):  # type: ignore[attr-defined]
            return torch.hypot(vector, vector)

    def other_model() -> object:
        conf = ipex.AmpConf(torch.int8)
        with torch.no_grad():
            with ipex.AutoMixPrecision(conf, running_mode="calibration"):
                pair.ipex(image.to(DEVICE)).cpu()
            with ipex.AutoMixPrecision(conf, running_mode="inference"):
                return torch.nn.functional.linear(vector, vector[None]).cpu()

    failing: list[Callable[[], object]] = [
        lambda: pair.ipex(image[:, :2].to(DEVICE)),
        lambda: pair.ipex(image),
        lambda: vector @ torch.randn(3, device=DEVICE),
        lambda: vector + torch.randn(5),
        lambda: torch.empty(1 << 60, device=DEVICE),
        lambda: pair.ipex(image.to(DEVICE)).sum().backward(torch.ones(3, device=DEVICE)),
        lambda: ipex.AmpConf(torch.float64),
        forbidden,
        other_model,
    ]
    for call in work.choice.sample(failing, 3):
        try:
            call()
        except (RuntimeError, TypeError, ValueError, NotImplementedError, torch.OutOfMemoryError):
            continue
        raise AssertionError(f"call {failing.index(call)} of {len(failing)} that fail did not")
    with torch.no_grad():
        work.agree(pair.ipex(image.to(DEVICE)), lambda: pair.cpu(image))
