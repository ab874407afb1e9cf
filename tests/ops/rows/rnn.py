"""Rows of recurrent layers: one direction of one layer, forward and backward, against stock PyTorch's own layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..row import Arguments, Make, Row, Shape

aten = torch.ops.aten
Tensor = torch.Tensor
RELU, TANH, LSTM, GRU = range(4)
GATES = {RELU: 1, TANH: 1, LSTM: 4, GRU: 3}
STOCK: dict[int, Callable[..., Any]] = {
    RELU: torch.rnn_relu,
    TANH: torch.rnn_tanh,
    LSTM: torch.lstm,
    GRU: torch.gru,
}
HIDDEN = 6
DTYPE_SHAPE = (3, 40)


def _stock(mode: int, reverse: bool, x: Tensor, hx: Tensor, cx: Tensor, parameters: list[Tensor]) -> tuple[Tensor, ...]:
    """Returns output and last states of stock PyTorch's layer; a reversed one sees the steps in the other order."""
    states = (hx[None], cx[None]) if mode == LSTM else hx[None]
    x = x.flip(0) if reverse else x
    options = (len(parameters) == 4, 1, 0.0, False, False, False)
    output, *last = STOCK[mode](x, states, parameters, *options)
    return (output.flip(0) if reverse else output, *(state[0] for state in last))


def _forward(
    x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, hx: Tensor, cx: Tensor, mode: int, reverse: bool
) -> tuple[Tensor, ...]:
    if x.device.type == "cpu":
        return _stock(mode, reverse, x, hx, cx, [w_ih, w_hh, b_ih, b_hh])
    size = w_hh.shape[1]
    options = (reverse, [], mode, size, 1, True, False, False, False)
    try:
        return aten.mkldnn_rnn_layer(x, w_ih, w_hh, b_ih, b_hh, hx, cx, *options)[: 3 if mode == LSTM else 2]
    except RuntimeError:  # oneDNN's layer on CPU is for float32; at::lstm does not call it for other dtypes
        if x.dtype is torch.float32:
            raise
        return _stock(mode, reverse, x, hx, cx, [w_ih, w_hh, b_ih, b_hh])


def _backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Gradients by autograd, with the results themselves for theirs."""
    *tensors, mode, reverse = arguments
    if tensors[0].shape[-1] == DTYPE_SHAPE[-1] and tensors[0].dtype is not torch.float32:
        raise NotImplementedError("the operator is for float32, other dtypes have cells")
    with torch.enable_grad():
        leaves = [t.detach().requires_grad_() for t in tensors]
        results = _forward(*leaves, mode, reverse)
    wanted = leaves if mode == LSTM else leaves[:6]
    return torch.autograd.grad(results, wanted, [r.detach() for r in results])


def _arguments(mode: int, reverse: bool) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        x = make(shape)
        x = x[:, None] if x.dim() == 2 else x
        rows, batch = GATES[mode] * HIDDEN, x.shape[1]
        parameters = [(make(s) / 4).contiguous() for s in ((rows, x.shape[2]), (rows, HIDDEN), (rows,), (rows,))]
        return x, *parameters, make((batch, HIDDEN)), make((batch, HIDDEN)), mode, reverse

    return arguments


def _function(src: Tensor, w_ih: Tensor, w_hh: Tensor) -> Tensor:
    x = src.reshape(src.shape[0], -1, src.shape[-1])
    state = x.new_zeros(1, x.shape[1], x.shape[2])
    w_ih, w_hh = w_ih / src.shape[-1], w_hh / src.shape[-1]
    return torch.gru(x, state, [w_ih, w_hh], False, 1, 0.0, False, False, False)[0].reshape(src.shape)


_LAYER: dict[str, Any] = {
    "shapes": ((1, 8), (5, 3, 7), (4, 2, 33), (7, 3, 16)),
    "empty": (),
    "dtypes": (torch.float32,),
    "hostile_shapes": (),
    "dtype_shape": DTYPE_SHAPE,
    "isa": ("avx2", "avx512", "avx10"),
    "autocast": torch.bfloat16,
    "inputs": lambda shape: (shape, (3 * shape[-1], shape[-1]), (3 * shape[-1], shape[-1])),
    "function": _function,
    "benchmark": ((64, 1, 512), (64, 8, 512)),
    "other": {
        "float64": lambda make, shape: tuple(
            t.double() if isinstance(t, Tensor) else t for t in _arguments(LSTM, False)(make, shape)
        )
    },
}

ROWS = (
    Row(
        operator="aten::mkldnn_rnn_layer",
        call=_forward,
        native={
            "lstm": _arguments(LSTM, False),
            "lstm reversed": _arguments(LSTM, True),
            "gru": _arguments(GRU, False),
            "gru reversed": _arguments(GRU, True),
            "tanh": _arguments(TANH, False),
            "relu": _arguments(RELU, False),
        },
        coefficient=(4, "a step reads the rounding of all steps before"),
        **_LAYER,
    ),
    Row(
        operator="aten::mkldnn_rnn_layer_backward",
        call=_backward,
        native={
            "lstm": _arguments(LSTM, False),
            "lstm reversed": _arguments(LSTM, True),
            "gru": _arguments(GRU, False),
            "gru reversed": _arguments(GRU, True),
            "tanh": _arguments(TANH, False),
            "relu": _arguments(RELU, False),
        },
        coefficient=(20, "gradients added up over all steps"),
        **_LAYER | {"other": {}},
    ),
)
