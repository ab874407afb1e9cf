"""The class that replaces `torch.nn.LSTM` in an optimised model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from . import functional


class LSTM(nn.LSTM):
    """`torch.nn.LSTM` on `torch_ipex::lstm`.

    Packed sequences, inputs without a batch and projections go to PyTorch's kernels.
    """

    def forward(self, input: Any, hx: Any = None) -> Any:
        if isinstance(input, PackedSequence) or self.proj_size > 0 or input.dim() != 3:
            return super().forward(input, hx)
        self._update_flat_weights()
        is_traced = torch.jit.is_tracing()  # PyTorch's checks of sizes would be branches on values
        if not all(_takes(input, weight, is_traced) for weight in self._flat_weights):
            return super().forward(input, hx)
        if is_traced and not input.is_cpu:
            input = input.to(self._flat_weights[0].dtype)  # type: ignore[union-attr]
        if hx is None:
            layers = self.num_layers * (2 if self.bidirectional else 1)
            batch = input.size(0 if self.batch_first else 1)
            zeros = torch.zeros(layers, batch, self.hidden_size, dtype=input.dtype, device=input.device)
            hx = (zeros, zeros)
        elif hx[0].dim() != 3 or hx[1].dim() != 3:
            return super().forward(input, hx)  # raises
        elif is_traced:
            hx = (hx[0].to(input.dtype), hx[1].to(input.dtype))
        if not is_traced:
            self.check_forward_args(input, hx, None)
        output, hidden, cell = torch.ops.torch_ipex.lstm(
            input,
            hx,
            self._flat_weights,
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
            self.batch_first,
        )
        states: tuple[Tensor, Tensor] = (hidden, cell)
        return output, states


def _takes(input: Tensor, weight: Any, is_traced: bool) -> bool:
    if weight is None or weight.device != input.device:
        return False
    return functional.is_native(input, weight) or (is_traced and not weight.is_cpu)
