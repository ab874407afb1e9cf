"""What the actions of a soak share: models, random choices, and the comparison of answers with stock PyTorch on CPU."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .networks import NETWORKS, TOKENS, build, image_shape, is_encoder, sentence_shape

DEVICE = torch.device("ipex:0")


@dataclass(frozen=True)
class Pair:
    """A model in evaluation mode.

    Attributes:
        cpu: what answers are compared with.
        ipex: a copy on the device.
    """

    cpu: nn.Module
    ipex: nn.Module


@dataclass
class Workload:
    """State of a soak.

    Attributes:
        seed: of all choices.
        every: each so many-th answer of an action is compared.
        count: number of shapes that inputs of one model have; 0: new ones without end.
        choice: random choices.
        pairs: models that live as long as the soak.
        images: shapes of images.
        sentences: shapes of token ids.
        kept: what actions keep between calls, such as compiled models, by name.
        calls: answers so far, by the action that runs.
        compared: those that were compared.
        action: the one that runs.
    """

    seed: int = 0
    every: int = 4
    count: int = 12
    choice: random.Random = field(init=False)
    pairs: list[Pair] = field(init=False)
    images: list[tuple[int, int, int, int]] = field(init=False)
    sentences: list[tuple[int, int]] = field(init=False)
    kept: dict[str, Any] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)
    action: str = ""

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self.choice = random.Random(self.seed)
        self.images = [image_shape(self.choice) for _ in range(self.count)]
        self.sentences = [sentence_shape(self.choice) for _ in range(self.count)]
        made = [build(network) for network in NETWORKS]
        self.pairs = [Pair(model, copy.deepcopy(model).to(DEVICE)) for model in made]

    def pair(self) -> Pair:
        """Returns one of the models."""
        return self.choice.choice(self.pairs)

    def batch(self, model: nn.Module, smallest: int = 1) -> Tensor:
        """Returns a batch for a model, on CPU, of random shape and values.

        Args:
            model: one of `NETWORKS`, or a copy of one.
            smallest: least batch size; smaller shapes get it.
        """
        if is_encoder(model):
            count, length = self.choice.choice(self.sentences) if self.sentences else sentence_shape(self.choice)
            return torch.randint(TOKENS, (max(count, smallest), length))
        count, *shape = self.choice.choice(self.images) if self.images else image_shape(self.choice)
        return torch.randn(max(count, smallest), *shape)

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """Returns what was kept under a name, made by the first call."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    def is_due(self) -> bool:
        """Counts an answer; returns whether it is to be compared."""
        self.calls[self.action] += 1
        due = self.calls[self.action] % self.every == 1 or self.every == 1
        self.compared[self.action] += due
        return due

    def agree(self, actual: Tensor, expected: Callable[[], Tensor], decibel: float | None = None) -> None:
        """Compares an answer, if it is due.

        Args:
            actual: on CPU or ipex; it is read in any case.
            expected: computes the answer of stock PyTorch in float32.
            decibel: least ratio of signal to error; None: equal to float32 tolerance, with room for other orders of sums.

        Raises:
            AssertionError: they differ.
        """
        found = actual.detach().cpu().float()
        if not self.is_due():
            return
        with torch.no_grad():
            wanted = expected().detach().cpu().float()
        if decibel is None:
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
            return
        error = (found.double() - wanted.double()).square().sum()
        ratio = 10 * torch.log10(wanted.double().square().sum() / error.clamp_min(1e-30)).item()
        if not ratio >= decibel:
            raise AssertionError(f"{ratio:.1f} dB; expected at least {decibel:g}")

    def same(self, actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
        """Compares two state dicts, if it is due; values have to be equal to the last bit."""
        values = {name: value.cpu() for name, value in actual.items()}
        if self.is_due():
            torch.testing.assert_close(values, {name: value.cpu() for name, value in expected.items()}, rtol=0, atol=0)
