"""Which parameters are cast, and that the sum of a cast is near what autocast gives."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import nn

from .nets import assert_same_state, image, net, optimize, run

BOTH = {torch.bfloat16, torch.float16}
# Module, and the dtypes to which it is cast for inference and for training.
RULES: list[tuple[nn.Module, set[torch.dtype], set[torch.dtype]]] = [
    (nn.Linear(4, 4), BOTH, BOTH),
    (nn.Conv1d(4, 4, 3), set(), BOTH),
    (nn.Conv2d(4, 4, 3), BOTH, BOTH),
    (nn.Conv3d(4, 4, 3), BOTH, BOTH),
    (nn.ConvTranspose1d(4, 4, 3), set(), set()),
    (nn.ConvTranspose2d(4, 4, 3), BOTH, BOTH),
    (nn.ConvTranspose3d(4, 4, 3), BOTH, BOTH),
    (nn.Embedding(4, 4), set(), set()),
    (nn.EmbeddingBag(4, 4), set(), BOTH),
    (nn.LSTM(4, 4), {torch.bfloat16}, {torch.bfloat16}),
    (nn.GRU(4, 4), set(), set()),
    (nn.ParameterList([nn.Parameter(torch.randn(4))]), BOTH, BOTH),
    (nn.BatchNorm2d(4), set(), set()),
    (nn.LayerNorm(4), set(), set()),
    (nn.GroupNorm(2, 4), set(), set()),
    (nn.PReLU(4), set(), set()),
    (nn.MultiheadAttention(4, 2), set(), set()),
]


@pytest.mark.parametrize(("module", "inference", "training"), RULES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("dtype", sorted(BOTH, key=str))
def test_rules(module: nn.Module, inference: set[torch.dtype], training: set[torch.dtype], dtype: torch.dtype) -> None:
    model = nn.ModuleList([module])
    made = optimize(model.eval(), dtype=dtype)
    assert {parameter.dtype for parameter in made.parameters()} == {dtype if dtype in inference else torch.float32}
    assert_same_state(made.state_dict(), model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trained, _ = optimize(model.train(), dtype=dtype, optimizer=optimizer)
    assert {parameter.dtype for parameter in trained.parameters()} == {dtype if dtype in training else torch.float32}
    assert_same_state(trained.state_dict(), model.state_dict())


@pytest.mark.parametrize("dtype", [None, torch.float32])
def test_float32_casts_nothing(dtype: torch.dtype | None) -> None:
    assert {parameter.dtype for parameter in optimize(net(), dtype=dtype).parameters()} == {torch.float32}


def test_values_are_rounded_to_nearest() -> None:
    model = net()
    made = optimize(model, dtype=torch.bfloat16)
    assert torch.equal(made.left.weight, model.left.weight.to(torch.bfloat16))


class Sub(nn.Linear):
    """A subclass."""


@pytest.mark.parametrize("other", [Sub(4, 4), nn.ConvTranspose1d(4, 4, 1), nn.Embedding(4, 4), nn.LayerNorm((4, 4))])
def test_parameter_that_somebody_else_owns_too_stays(other: nn.Module) -> None:
    linear = nn.Linear(4, 4)
    if isinstance(other, nn.ConvTranspose1d):
        linear.bias = other.bias
    else:
        other.weight = linear.weight
    model = nn.ModuleList([linear, other, nn.Linear(4, 4)]).eval()
    made = optimize(model, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in made[:2].parameters()} == {torch.float32}
    assert made[2].weight.dtype == torch.bfloat16


def test_refusal_spreads_over_shared_parameters() -> None:
    """The first shares its weight with the second, whose bias a module shares that is never cast."""
    first, second, norm = nn.Linear(4, 4), nn.Linear(4, 4), nn.LayerNorm(4)
    first.weight, norm.bias = second.weight, second.bias
    made = optimize(nn.ModuleList([first, second, norm]).eval(), dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in made.parameters()} == {torch.float32}
    assert made[0].weight is made[1].weight and made[2].bias is made[1].bias


def test_shared_parameters_are_cast_together() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    made = optimize(nn.ModuleList([first, second]).eval(), dtype=torch.bfloat16)
    assert made[0].weight is made[1].weight and made[0].weight.dtype == torch.bfloat16


@pytest.mark.parametrize("source", [torch.float64, torch.float16])
def test_other_dtypes_stay_with_one_warning(source: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)).eval()
    model[:2].to(source)
    with pytest.warns(UserWarning, match=f"optimize: parameters of {source} stay as they are") as caught:
        made = optimize(model, dtype=torch.bfloat16)
    assert len(caught) == 1 and "Call model.float() first" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert [layer.weight.dtype for layer in made] == [source, source, torch.bfloat16]


def test_a_model_in_the_wanted_dtype_needs_no_warning() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)).to(torch.bfloat16).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = optimize(model, dtype=torch.bfloat16)
    assert torch.equal(
        run(made, torch.ones(2, 4, dtype=torch.bfloat16)), run(model, torch.ones(2, 4, dtype=torch.bfloat16))
    )
    assert_same_state(made.state_dict(), model.state_dict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("options", [{}, {"concat_linear": True}, {"weights_prepack": False}], ids=str)
def test_results_under_autocast(dtype: torch.dtype, options: dict[str, Any]) -> None:
    model = net()
    made = optimize(model, dtype=dtype, **options)
    with torch.autocast("cpu", dtype):
        actual, stock = run(made, image(64)), run(model, image(64))
    expected = run(model, image(64))
    assert actual.dtype == stock.dtype
    noise, stock_noise = ((each.float() - expected).norm() / expected.norm() for each in (actual, stock))
    assert noise < 0.02 and noise < 2 * stock_noise + 0.002


def test_gradients_of_another_dtype_do_not_stay() -> None:
    model = nn.Linear(4, 4).eval()
    model(torch.ones(2, 4)).sum().backward()
    made = optimize(model, dtype=torch.bfloat16)
    assert model.weight.grad is not None and made.weight.grad is None
