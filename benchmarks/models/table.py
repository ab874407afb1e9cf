"""One row per model: how it is built, what it is fed, how much arithmetic a sample is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from . import bert, gpt2, lstm, vision

# One batch each; 1 is the seed of what is timed, 2 that of training targets.
CALIBRATION_SEEDS = range(10, 18)


@dataclass(frozen=True)
class Model:
    """A model that is compared.

    Attributes:
        title: how tables and plots call it.
        create: returns the untrained module.
        sample: shape of one sample, without the batch.
        vocabulary: samples are token ids below this number; 0 when they are images.
        gflop: floating point operations of the forward of one sample, in 10^9; an addition and a multiplication are two.
        is_transformer: whether it consists of attention and layer norms, which quantisers treat in a way of their own.
    """

    title: str
    create: Callable[[], nn.Module]
    sample: tuple[int, ...]
    vocabulary: int
    gflop: float
    is_transformer: bool = False

    @property
    def is_image_model(self) -> bool:
        """Returns whether the input is 4-D, so that it has a channels-last order."""
        return len(self.sample) == 3

    def build(self) -> nn.Module:
        """Returns the module in eval mode with the same random weights every time; the caller's generator is untouched."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = self.create()
            _settle(model, self.sample)
        return model.eval()

    def example(self, batch: int) -> torch.Tensor:
        """Returns the same random batch every time: float32 images or int64 token ids."""
        return self._random(batch, seed=1)

    def calibration(self, batch: int) -> list[torch.Tensor]:
        """Returns the same batches every time, like `example` but none equal to it: int8 ranges are taken from them."""
        return [self._random(batch, seed) for seed in CALIBRATION_SEEDS]

    def _random(self, batch: int, seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        if self.vocabulary:
            return torch.randint(self.vocabulary, (batch, *self.sample), generator=generator)
        return torch.randn(batch, *self.sample, generator=generator)


def _settle(model: nn.Module, sample: tuple[int, ...]) -> None:
    """Gives batch norms the statistics of one random batch; without, activations grow or vanish from layer to layer."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model(torch.randn(4, *sample))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Returns the mean cross entropy of logits (..., classes) for class numbers (...), as a training step uses it."""
    logits = output.to(torch.promote_types(output.dtype, torch.float32))
    return nn.functional.cross_entropy(logits.flatten(0, -2), target.flatten())


def target_of(output: torch.Tensor) -> torch.Tensor:
    """Returns the same random class numbers every time for logits (..., classes), on CPU: shape (...), int64."""
    generator = torch.Generator().manual_seed(2)
    return torch.randint(output.shape[-1], output.shape[:-1], generator=generator)


# torch.utils.flop_counter counts all but the LSTM, whose formula is in lstm.py; a test compares.
MODELS: dict[str, Model] = {
    "resnet50": Model("ResNet-50", lambda: vision.create("resnet50"), (3, 224, 224), 0, 8.18),
    "mobilenet_v3": Model("MobileNetV3-L", lambda: vision.create("mobilenet_v3_large"), (3, 224, 224), 0, 0.433),
    "densenet121": Model("DenseNet-121", lambda: vision.create("densenet121"), (3, 224, 224), 0, 5.67),
    "vit_b_16": Model("ViT-B/16", lambda: vision.create("vit_b_16"), (3, 224, 224), 0, 35.1, True),
    "bert": Model("BERT-base", bert.Bert, (128,), bert.VOCABULARY, 22.3, True),
    "gpt2": Model("GPT-2 small", gpt2.Gpt2, (128,), gpt2.VOCABULARY, 32.2, True),
    "lstm": Model("LSTM", lstm.Lstm, (lstm.LENGTH,), lstm.VOCABULARY, lstm.GFLOP),
}
