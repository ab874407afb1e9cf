"""Small models and short words for calibration and inference in int8, shared by the tests of the workflow."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex

Model = TypeVar("Model", bound=nn.Module)

DEVICE = "ipex"
ENOUGH = 15.0
"""Least signal-to-quantisation-noise ratio of int8 results, in dB. Wrong operators and wrong scales give less than 12."""

REFUSAL = re.compile(
    r"\[AutoMixPrecision\] E402 entry \d+ of the recipe is \w+ \(.+\), the program runs \w+ \(.+\); accepted: "
)


def image(seed: int = 0, channels: int = 3, size: int = 12) -> Tensor:
    """Returns a batch of two images on ipex."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, channels, size, size, generator=generator).to(DEVICE)


def made(factory: Callable[[], Model], seed: int = 0) -> Model:
    """Returns a model for inference on ipex, with weights from `seed` and statistics of batch norms that matter."""
    torch.manual_seed(seed)
    model = factory().eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.weight, module.bias):
                assert values is not None
                values.data.normal_(0.2, 0.3)
            assert module.running_var is not None
            module.weight.data.add_(0.8)
            module.running_var.data.uniform_(0.5, 2)
    return model.to(DEVICE)


def calibrated(program: Callable[[Any], Any], batches: Iterable[Any], **options: Any) -> ipex.AmpConf:
    """Returns a conf that saw the program run once for each batch."""
    conf = ipex.AmpConf(torch.int8, **options)
    results = calibrate(conf, program, batches)
    conf.calibration.entries()
    del results  # of which nobody has read the values before
    return conf


def calibrate(conf: ipex.AmpConf, program: Callable[[Any], Any], batches: Iterable[Any]) -> list[Any]:
    """Runs the program for each batch, in a block of its own, and returns its results."""
    results = []
    for batch in batches:
        with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
            results.append(program(batch))
    return results


def infer(conf: ipex.AmpConf, program: Callable[[Any], Any], batch: Any) -> Tensor:
    """Returns what the program gives in int8, on the CPU."""
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="inference"):
        result = program(batch)
        assert isinstance(result, Tensor)
        return result.cpu()


def float32(program: Callable[[Any], Any], batch: Any) -> Tensor:
    """Returns what the program gives without a context, on the CPU."""
    with torch.no_grad():
        result = program(batch)
    assert isinstance(result, Tensor)
    return result.cpu()


def sqnr(got: Tensor, expected: Tensor) -> float:
    """Returns the signal-to-quantisation-noise ratio in dB; infinity if there is no noise."""
    got, expected = got.detach().cpu().double(), expected.detach().cpu().double()
    assert got.shape == expected.shape
    noise = (got - expected).square().sum()
    return float("inf") if noise == 0 else float(10 * torch.log10(expected.square().sum() / noise))


def refused(call: Callable[[], Tensor]) -> Tensor | None:
    """Returns the result; nothing if it was refused in the words that it should be."""
    try:
        return call().cpu()
    except RuntimeError as error:
        if not REFUSAL.search(str(error)):
            raise
        return None


def names(conf: ipex.AmpConf) -> list[str]:
    """Returns the names of the entries."""
    return [entry.name for entry in conf.calibration.entries()]


def scales(conf: ipex.AmpConf) -> list[Any]:
    """Returns everything that calibration computes of an entry."""
    return [
        (each.name, each.inputs_scale, each.outputs_scale, each.inputs_uint8_used, each.outputs_uint8_used)
        for each in conf.calibration.entries()
    ]


def same_bits(a: Any, b: Any) -> bool:
    """Whether two tensors, or nested lists of them, are equal bit for bit, NaN included."""
    if isinstance(a, Tensor):
        a, b = (each.detach().cpu().contiguous().flatten().view(torch.uint8) for each in (a, b))
        return torch.equal(a, b)
    return len(a) == len(b) and all(same_bits(x, y) for x, y in zip(a, b, strict=True))


class Readme(nn.Module):
    """The model of the archived extension's README."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 7, stride=2)

    def forward(self, input: Tensor) -> Tensor:
        return self.conv(input).relu()


class Plain(nn.Module):
    """Convolution, batch norm, relu, pooling, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.out = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return self.out(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Residual(nn.Module):
    """Two residual blocks; one adds in place."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.first = nn.Sequential(
            nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)
        )
        self.second = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
        self.out = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        y = self.second(self.first(x))
        y += x
        x = F.relu_(y)
        x = F.relu(self.second(self.first(x)) + x)
        return self.out(x.mean((2, 3), keepdim=True).flatten(1))


class Cat(nn.Module):
    """Branches of different depth that are concatenated, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 8, 1)
        self.three = nn.Conv2d(3, 8, 3, padding=1)
        self.last = nn.Conv2d(19, 8, 3, padding=1)
        self.out = nn.Linear(27, 10)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([F.relu(self.one(x)), F.relu(self.three(x)), x], 1)
        joined = torch.cat([F.relu(self.last(joined)), joined], 1)
        return self.out(F.avg_pool2d(joined, 12).flatten(1))


class Alive(nn.Module):
    """Intermediates that stay alive, views of them, and values that several operators read."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.next = nn.Conv2d(16, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)

    def forward(self, x: Tensor) -> list[Tensor]:
        a = self.conv(x)
        b = F.relu(a)
        c = self.norm(self.next(b))
        d = F.hardswish(c)
        e = b + d
        return [a, b, c, d, e, a[:, 3:5], b.transpose(2, 3), c.flatten(1)[:, ::7], e * d.mean((2, 3), keepdim=True)]


class InPlace(nn.Module):
    """Operators in place, on views too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.out = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y[:, 2:5].relu_()
        y.mul_(0.5).add_(y).clamp_(max=3.0)
        y[:, 0] = 1.0
        F.hardtanh_(y[:, 5:], -1.0, 1.0)
        z = self.out(y.mean((2, 3)))
        z[0].zero_()
        return F.silu(z, inplace=True)


class Gated(nn.Module):
    """Squeeze and excitation with all the activations that have entries."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.squeeze = nn.Conv2d(16, 8, 1)
        self.excite = nn.Conv2d(8, 16, 1)
        self.out = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.depthwise(F.relu6(self.conv(x))))
        gate = F.hardsigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1)))))
        return F.gelu(self.out(F.silu(gate * x).mean((2, 3))).sigmoid() - 0.5)


class Twice(nn.Module):
    """One convolution that is called twice in a forward."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.again = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        return self.again(F.relu(self.again(x)) * 3.0)


class Shared(nn.Module):
    """One submodule under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.left = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU())
        self.right = self.left

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.left(x) + self.right(x.flip(2) * 2.0)


class Encoder(nn.Module):
    """A block of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, activation="gelu", batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


MODELS: dict[str, Callable[[], nn.Module]] = {
    each.__name__: each for each in (Readme, Plain, Residual, Cat, InPlace, Gated, Twice, Shared)
}
"""Those that turn images into one tensor."""


def edit(path: str | os.PathLike[str], **changes: Any) -> None:
    """Sets fields of all entries of a recipe."""
    entries = ipex.int8.load(path)
    for entry in entries:
        for name, value in changes.items():
            setattr(entry, name, value)
    ipex.int8.save(path, entries)


def assert_near(got: Tensor, expected: Tensor) -> None:
    """Asserts that a result is that of float32 to the accuracy of int8."""
    assert sqnr(got, expected) > ENOUGH, sqnr(got, expected)
