"""Models with learnt weights and real data, by which accuracy is measured; those of table.py have random ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from . import digits, minilm
from .table import Model


@dataclass(frozen=True, kw_only=True)
class Trained(Model):
    """A model whose results mean something.

    Weights and data come from packages that only the Python of the benchmark has; the peers read them from files.

    Attributes:
        batch: samples in its test, which are one batch.
        learn: gives the module its weights.
        data: returns the test batch.
        calibrate: returns batches of the same shape, to take int8 ranges from.
        metric: what `score` is.
        score: judges an output for the test batch, given that of stock PyTorch in float64; 1 is best.
    """

    batch: int
    learn: Callable[[nn.Module], None]
    data: Callable[[], torch.Tensor]
    calibrate: Callable[[], list[torch.Tensor]]
    metric: str
    score: Callable[[torch.Tensor, torch.Tensor], float]
    gflop: float = 0.0  # not timed

    def build(self) -> nn.Module:
        """Returns the module in eval mode, with its learnt weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = self.create()
            self.learn(model)
        return model.eval()

    def example(self, batch: int) -> torch.Tensor:
        """Returns the test batch."""
        return self.data()

    def calibration(self, batch: int) -> list[torch.Tensor]:
        """Returns the calibration batches."""
        return self.calibrate()


TRAINED: dict[str, Trained] = {
    "digits": Trained(
        title="digits CNN",
        create=digits.Digits,
        sample=(1, 8, 8),
        vocabulary=0,
        batch=digits.TEST,
        learn=digits.train,
        data=digits.example,
        calibrate=digits.calibration,
        metric="top-1",
        score=digits.top_1,
    ),
    "minilm": Trained(
        title="MiniLM",
        create=minilm.MiniLm,
        sample=(minilm.LENGTH,),
        vocabulary=minilm.VOCABULARY,
        is_transformer=True,
        batch=minilm.SENTENCES,
        learn=minilm.load,
        data=minilm.example,
        calibrate=minilm.calibration,
        metric="Spearman",
        score=minilm.rank_correlation,
    ),
}
