"""A sample packs weights before the first call, and leaves nothing else behind."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from .nets import assert_near, exact, image, net, optimize, run


class Recorder(nn.Module):
    """Notes how it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.drop = nn.Dropout()
        self.calls: list[Any] = []

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        self.calls.append(
            (tuple(x.shape), scale, self.training, torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"))
        )
        return self.drop(self.linear(x)) * scale + torch.rand(1) * 0


X = torch.randn(2, 4)


@pytest.mark.parametrize(
    ("sample", "scale"),
    [(X, 1.0), ((X,), 1.0), ([X], 1.0), ((X, 2.0), 2.0), ({"x": X, "scale": 3.0}, 3.0)],
    ids=["tensor", "tuple", "list", "two", "dict"],
)
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_model_is_called_in_evaluation_mode(sample: Any, scale: float, dtype: torch.dtype | None) -> None:
    model = Recorder().eval()
    made = optimize(model, dtype=dtype, sample_input=sample)
    assert model.calls == [] and made.calls == [((2, 4), scale, False, False, dtype is not None)] * 2


def test_modes_and_random_numbers_stay() -> None:
    model = Recorder().train()
    model.linear.eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    numbers = torch.get_rng_state()
    made, _ = optimize(model, optimizer=optimizer, sample_input=X)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert made.training and made.drop.training and not made.linear.training
    assert made.calls == [((2, 4), 1.0, False, False, False)] * 2
    assert made.linear.weight.grad is None


def test_sample_that_the_model_does_not_take() -> None:
    with pytest.warns(
        UserWarning, match=r"the model failed on sample_input \(RuntimeError: .*give arguments that the model takes"
    ):
        made = optimize(net(), sample_input=torch.randn(2, 3))
    assert not made.training
    assert_near(run(made, image()), exact(net(), image()), 4)


def test_sample_captures_the_graph() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = optimize(net(), graph_mode=True, sample_input=image())
    assert len(vars(made)["forward"]._graphs) == 1
