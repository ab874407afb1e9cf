"""A small model of every operator on plain parameters, for tracing, scripting, exporting and compiling."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .cases import numbers


class Model(nn.Module):
    """Image [N, 3, 8, 8] to [N, 4, 16]. Every operator once or twice; nothing is hidden behind functions, for TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.bn, self.first, self.ln = (
            nn.Conv2d(3, 8, 3),
            nn.BatchNorm2d(8),
            nn.Linear(288, 64),
            nn.LayerNorm(16),
        )
        self.second = nn.Linear(64, 64)
        nn.init.normal_(self.bn.running_mean)
        nn.init.uniform_(self.bn.running_var, 0.5, 2)
        recurrent = nn.LSTM(16, 16)
        self.ih, self.hh = recurrent.weight_ih_l0, recurrent.weight_hh_l0
        self.b_ih, self.b_hh = recurrent.bias_ih_l0, recurrent.bias_hh_l0

    def forward(self, x: Tensor) -> Tensor:
        y = torch.ops.torch_ipex.convolution(
            x,
            self.conv.weight,
            self.conv.bias,
            [1, 1],
            [0, 0],
            [1, 1],
            False,
            [0, 0],
            1,
            None,
            "relu",
            self.bn.running_mean,
            self.bn.running_var,
            self.bn.weight,
            self.bn.bias,
            1e-5,
        )
        y = torch.ops.torch_ipex.linear(y.flatten(1), self.first.weight, self.first.bias, None, "gelu")
        y = torch.ops.torch_ipex.linear(y, self.second.weight, self.second.bias, y, "").reshape(-1, 4, 16)
        state = torch.zeros(1, y.size(0), 16, dtype=y.dtype, device=y.device)
        params = [self.ih, self.hh, self.b_ih, self.b_hh]
        z, _, _ = torch.ops.torch_ipex.lstm(y, [state, state], params, True, 1, 0.0, False, False, True)
        z = torch.ops.torch_ipex.layer_norm(z, [16], self.ln.weight, self.ln.bias, 1e-5).unsqueeze(1)
        z = torch.ops.torch_ipex.scaled_dot_product_attention(z, y.unsqueeze(1), y.unsqueeze(1))
        return torch.ops.torch_ipex.gelu(z, "none").squeeze(1)


def stock(model: Model, x: Tensor) -> Tensor:
    """The same in stock PyTorch."""
    y = torch.relu(nn.functional.batch_norm(model.conv(x), *batch_norm(model)))
    y = nn.functional.gelu(model.first(y.flatten(1)))
    y = (model.second(y) + y).reshape(-1, 4, 16)
    state = torch.zeros(1, y.size(0), 16, dtype=y.dtype)
    params = [model.ih, model.hh, model.b_ih, model.b_hh]
    z = torch._VF.lstm(y, [state, state], params, True, 1, 0.0, False, False, True)[0]
    z, y = model.ln(z).unsqueeze(1), y.unsqueeze(1)
    return nn.functional.gelu(nn.functional.scaled_dot_product_attention(z, y, y)).squeeze(1)


def batch_norm(model: Model) -> tuple:
    return model.bn.running_mean, model.bn.running_var, model.bn.weight, model.bn.bias, False, 0.0, 1e-5


def image(batch: int = 2, seed: int = 3) -> Tensor:
    """Returns an input."""
    return numbers(batch, 3, 8, 8, seed=seed)


def assert_right(program: object, model: Model, x: Tensor, calls: int = 3) -> None:
    """Asserts that a program, called several times, computes what the stock operators do."""
    with torch.no_grad():
        expected = stock(model, x)
        for _ in range(calls):
            torch.testing.assert_close(program(x), expected, rtol=1e-4, atol=1e-5)
