"""Recurrent cells and layers against CPU: forward, gradients, packed sequences, projections."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from torch_ipex_device.testing.compare import assert_same

LAYERS: dict[str, Any] = {
    "lstm": lambda **k: nn.LSTM(5, 6, **k),
    "lstm_two_layers": lambda **k: nn.LSTM(5, 6, num_layers=2, **k),
    "lstm_bidirectional": lambda **k: nn.LSTM(5, 6, bidirectional=True, **k),
    "lstm_projection": lambda **k: nn.LSTM(5, 6, proj_size=3, **k),
    "lstm_projection_bidirectional": lambda **k: nn.LSTM(5, 6, num_layers=2, proj_size=3, bidirectional=True, **k),
    "lstm_without_bias": lambda **k: nn.LSTM(5, 6, bias=False, **k),
    "lstm_batch_first": lambda **k: nn.LSTM(5, 6, batch_first=True, **k),
    "gru": lambda **k: nn.GRU(5, 6, **k),
    "gru_two_layers_bidirectional": lambda **k: nn.GRU(5, 6, num_layers=2, bidirectional=True, **k),
    "gru_without_bias": lambda **k: nn.GRU(5, 6, bias=False, **k),
    "rnn_tanh": lambda **k: nn.RNN(5, 6, **k),
    "rnn_relu": lambda **k: nn.RNN(5, 6, nonlinearity="relu", **k),
}
CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}


def leaves(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, PackedSequence):
        return [value.data]
    return [leaf for part in value for leaf in leaves(part)]


def on_device(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to("ipex").requires_grad_(value.requires_grad)
    return tuple(on_device(part) for part in value) if isinstance(value, tuple) else value


def forward_and_backward(module: nn.Module, *inputs: Any) -> tuple[Any, list[Tensor | None]]:
    result = module(*inputs)
    sum(((leaf * leaf).sum() for leaf in leaves(result)), torch.zeros((), device=leaves(result)[0].device)).backward()
    return result, [p.grad for p in (*module.parameters(), *leaves(inputs))]


def check(module: nn.Module, *inputs: Any) -> None:
    twin = copy.deepcopy(module).to("ipex")
    assert_same(forward_and_backward(twin, *on_device(inputs)), forward_and_backward(module, *inputs), coefficient=10)


# coefficient 10 above: gradients pass through up to 2 x 7 cells, each of which may round differently.


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layer_matches_cpu(layer: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    check(LAYERS[layer]().to(dtype), torch.randn(7, 3, 5, dtype=dtype, requires_grad=True))


@pytest.mark.parametrize("layer", ["lstm_two_layers", "gru_two_layers_bidirectional"])
def test_initial_state_gets_gradients(layer: str) -> None:
    torch.manual_seed(0)
    module = LAYERS[layer]()
    state = torch.randn(2 * (1 + module.bidirectional), 3, 6, requires_grad=True)
    states = (state, torch.randn_like(state, requires_grad=True)) if isinstance(module, nn.LSTM) else state
    check(module, torch.randn(4, 3, 5, requires_grad=True), states)


@pytest.mark.parametrize(
    "layer", ["lstm", "lstm_two_layers", "lstm_bidirectional", "lstm_projection", "gru", "rnn_tanh"]
)
@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_packed_sequences_match_cpu(layer: str, enforce_sorted: bool) -> None:
    torch.manual_seed(0)
    module = LAYERS[layer]()
    padded = torch.randn(7, 3, 5)
    lengths = torch.tensor([7, 4, 2]) if enforce_sorted else torch.tensor([4, 7, 2])

    def run(module: nn.Module, padded: Tensor) -> tuple[Any, Any, list[Tensor | None]]:
        packed = pack_padded_sequence(padded, lengths, enforce_sorted=enforce_sorted)
        assert packed.batch_sizes.device.type == "cpu"
        result, gradients = forward_and_backward(module, packed)
        return pad_packed_sequence(result[0])[0], result[1], gradients[:-1]

    assert_same(run(copy.deepcopy(module).to("ipex"), padded.ipex()), run(module, padded), coefficient=10)


def test_packed_sequence_moves_with_its_batch_sizes_on_cpu() -> None:
    packed = pack_padded_sequence(torch.randn(4, 2, 3), torch.tensor([4, 2]))
    moved = packed.to("ipex")
    assert moved.is_ipex
    assert moved.data.is_ipex
    assert moved.batch_sizes.device.type == "cpu"
    assert moved.cpu().data.device.type == "cpu"
    assert torch.equal(pad_packed_sequence(moved)[1], torch.tensor([4, 2]))


def test_lengths_on_the_device_are_refused_as_on_cuda() -> None:
    with pytest.raises(RuntimeError, match=r"lengths.* CPU int64"):
        pack_padded_sequence(torch.randn(4, 2, 3, device="ipex"), torch.tensor([4, 2], device="ipex"))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bias", [True, False])
def test_cell_matches_cpu(cell: str, bias: bool) -> None:
    torch.manual_seed(0)
    check(CELLS[cell](5, 6, bias=bias), torch.randn(3, 5, requires_grad=True))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_second_derivative_matches_cpu(cell: str) -> None:
    torch.manual_seed(0)
    module = CELLS[cell](4, 3).double()

    def penalty(module: nn.Module, x: Tensor) -> list[Tensor]:
        (gradient,) = torch.autograd.grad(leaves(module(x))[0].pow(3).sum(), x, create_graph=True)
        return list(torch.autograd.grad(gradient.pow(2).sum(), list(module.parameters())))

    x = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    expected = penalty(module, x)
    assert_same(penalty(copy.deepcopy(module).to("ipex"), on_device(x)), expected, coefficient=10)


def test_only_one_output_of_the_cell_used() -> None:
    torch.manual_seed(0)
    module = nn.LSTMCell(4, 3)
    twin = copy.deepcopy(module).to("ipex")
    x = torch.randn(2, 4)
    for output in (0, 1):
        gradients = torch.autograd.grad(module(x)[output].sum(), list(module.parameters()))
        assert_same(
            torch.autograd.grad(twin(x.ipex())[output].sum(), list(twin.parameters())), gradients, coefficient=10
        )


def test_dropout_between_layers_draws_the_cpu_masks() -> None:
    torch.manual_seed(0)
    module = nn.LSTM(5, 6, num_layers=2, dropout=0.5)
    twin = copy.deepcopy(module).to("ipex")
    x = torch.randn(4, 3, 5)
    torch.manual_seed(1)
    expected = module(x)[0]
    torch.manual_seed(1)
    assert_same(twin(x.ipex())[0], expected, coefficient=10)


def test_inference_without_gradients_and_with_autocast() -> None:
    torch.manual_seed(0)
    module = nn.LSTM(5, 6)
    x = torch.randn(4, 3, 5)
    twin = copy.deepcopy(module).to("ipex")
    with torch.no_grad():
        assert_same(twin(x.ipex()), module(x), coefficient=10)
        with torch.autocast("ipex", torch.bfloat16):
            result = twin(x.ipex())[0]
    torch.testing.assert_close(result.cpu().float(), module(x)[0].detach(), rtol=5e-2, atol=5e-2)  # 8 bits of mantissa
