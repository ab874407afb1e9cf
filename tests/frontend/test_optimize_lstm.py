"""LSTMs with the native operator."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from torch_ipex_device.frontend.lstm import LSTM

from .nets import assert_near, assert_same_state, exact, optimize, run

KINDS: list[dict[str, Any]] = [
    {},
    {"batch_first": True},
    {"bidirectional": True, "num_layers": 2},
    {"bias": False},
    {"num_layers": 3, "dropout": 0.5},
    {"proj_size": 3},
]
kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


def made_from(kind: dict[str, Any]) -> tuple[nn.LSTM, nn.LSTM]:
    torch.manual_seed(0)
    layer = nn.LSTM(6, 5, **kind).eval()
    made = optimize(layer)
    assert type(made) is LSTM
    return layer, made


def states(kind: dict[str, Any], batch: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    layers = kind.get("num_layers", 1) * (2 if kind.get("bidirectional") else 1)
    shape = [layers] if batch is None else [layers, batch]
    return torch.randn(*shape, kind.get("proj_size", 5)), torch.randn(*shape, 5)


@kinds
@pytest.mark.parametrize("with_states", [False, True])
@pytest.mark.parametrize("batch", [None, 1, 4])
def test_results(kind: dict[str, Any], with_states: bool, batch: int | None) -> None:
    layer, made = made_from(kind)
    x = torch.randn(7, 6) if batch is None else torch.randn(7, batch, 6)
    if kind.get("batch_first") and batch is not None:
        x = x.transpose(0, 1)
    given = (x, states(kind, batch)) if with_states else (x,)
    output, (hidden, cell) = run(made, *given)
    double = (x.double(), tuple(each.double() for each in given[1])) if with_states else (x.double(),)
    expected, (hidden_expected, cell_expected) = exact(layer, *double)
    assert_near(output, expected, 4)
    assert_near(hidden, hidden_expected, 4)
    assert_near(cell, cell_expected, 4)


@kinds
def test_packed_sequences(kind: dict[str, Any]) -> None:
    layer, made = made_from({**kind, "batch_first": False})
    packed = pack_padded_sequence(torch.randn(7, 3, 6), torch.tensor([3, 7, 5]), enforce_sorted=False)
    (actual, states), (expected, states_expected) = run(made, packed), run(layer, packed)
    torch.testing.assert_close(pad_packed_sequence(actual)[0], pad_packed_sequence(expected)[0])
    torch.testing.assert_close(states, states_expected)


@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("cast", [False, True])
@pytest.mark.parametrize("with_states", [False, True])
def test_autocast(given: torch.dtype, cast: bool, with_states: bool) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(6, 5).eval()
    made = optimize(layer, dtype=torch.bfloat16 if cast else None)
    x = torch.randn(7, 4, 6).to(given)
    arguments = (x, states({}, 4)) if with_states and given == torch.float32 else (x,)
    with torch.autocast("cpu", torch.bfloat16):
        output, (hidden, _) = run(made, *arguments)
        expected = run(layer, *arguments)[0]
    assert output.dtype == hidden.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(output, expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    "arguments",
    [
        (torch.randn(7, 4, 5),),
        (torch.randn(4),),
        (torch.randn(7, 4, 6), (torch.randn(1, 3, 5), torch.randn(1, 3, 5))),
        (torch.randn(7, 4, 6), (torch.randn(3, 5), torch.randn(3, 5))),
        (torch.randn(7, 4, 6).double(),),
    ],
)
def test_errors_are_those_of_pytorch(arguments: tuple[Any, ...]) -> None:
    layer, made = made_from({})
    with pytest.raises((RuntimeError, ValueError)) as stock:
        run(layer, *arguments)
    with pytest.raises(type(stock.value)) as error:
        run(made, *arguments)
    assert str(error.value) == str(stock.value)


def test_knob_is_obeyed() -> None:
    model = nn.Sequential(nn.LSTM(6, 5)).eval()
    assert type(optimize(model, optimize_lstm=False)[0]) is nn.LSTM
    assert type(optimize(model, level="O0", optimize_lstm=True)[0]) is LSTM


def test_state_and_weights_after_a_cast() -> None:
    layer = nn.LSTM(6, 5, num_layers=2).eval()
    made = optimize(layer, dtype=torch.bfloat16)
    assert {weight.dtype for weight in made._flat_weights} == {torch.bfloat16}
    assert_same_state(made.state_dict(), layer.state_dict())
    assert made.weight_ih_l1 is made._flat_weights[4]


def test_training() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(6, 5).train()
    made, optimizer = optimize(layer, optimizer=torch.optim.SGD(layer.parameters(), lr=0.1))
    x = torch.randn(7, 4, 6)
    made(x)[0].square().sum().backward()
    layer.double()(x.double())[0].square().sum().backward()
    for actual, expected in zip(made.parameters(), layer.parameters(), strict=True):
        assert actual.grad is not None and expected.grad is not None
        assert_near(actual.grad, expected.grad, 8)
    optimizer.step()
