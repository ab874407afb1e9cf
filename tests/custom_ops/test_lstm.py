"""lstm: layers, directions, batches, projections, dropout."""

from __future__ import annotations

import itertools

import pytest
import torch

from .cases import DEVICES, DTYPES, OPS, Case, check, lstm_arguments, numbers

KINDS = list(itertools.product((1, 2), *[(False, True)] * 3))  # layers, bidirectional, batch_first, bias
SIZES = [(5, 3, 8, 16), (1, 1, 8, 8), (7, 2, 3, 5), (20, 4, 40, 32), (1, 1, 1, 1), (3, 0, 4, 4)]


def module_arguments(module: torch.nn.LSTM, x: torch.Tensor, batch: int) -> tuple:
    directions = 2 if module.bidirectional else 1
    output = module.proj_size or module.hidden_size
    states = [numbers(module.num_layers * directions, batch, size, seed=5) for size in (output, module.hidden_size)]
    params = [numbers(*p.shape, seed=10 + i) * 0.3 for i, p in enumerate(module._flat_weights)]
    return x, states, params, module.bias, module.num_layers, 0.0, False, module.bidirectional, module.batch_first


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("steps", "batch", "inputs", "hidden"), SIZES)
def test_kinds(steps, batch, inputs, hidden, dtype, device):
    kinds = KINDS if (steps, dtype) == (5, torch.float32) else KINDS[3::6]
    for layers, bidirectional, batch_first, bias in kinds:
        kind = {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional}
        module = torch.nn.LSTM(inputs, hidden, layers, **kind)
        x = numbers(batch, steps, inputs) if batch_first else numbers(steps, batch, inputs)
        with torch.no_grad():
            check(Case(OPS.lstm, module_arguments(module, x, batch), torch._VF.lstm), dtype, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_projections(bidirectional, device):
    module = torch.nn.LSTM(8, 16, 2, bidirectional=bidirectional, proj_size=4)
    with torch.no_grad():
        check(Case(OPS.lstm, module_arguments(module, numbers(5, 3, 8), 3), torch._VF.lstm), torch.float32, device)


@pytest.mark.parametrize("gradients", [False, True])
def test_dropout_draws_the_numbers_of_the_stock_operator(gradients):
    x, states, params, *_ = lstm_arguments()
    rest = (params, True, 2, 0.5, True, True, False)
    with torch.set_grad_enabled(gradients):
        x.requires_grad_(gradients)
        torch.manual_seed(3)
        expected = torch._VF.lstm(x, states, *rest)
        torch.manual_seed(3)
        for a, e in zip(OPS.lstm(x, states, *rest), expected, strict=True):
            torch.testing.assert_close(a, e, rtol=1e-5, atol=1e-5)


def test_results_are_contiguous():
    for first in (False, True):
        x, *rest = lstm_arguments()
        rest[-1] = first
        x = x.transpose(0, 1) if first else x
        with torch.no_grad():
            assert all(t.is_contiguous() for t in OPS.lstm(x, *rest))
        assert all(t.is_contiguous() for t in OPS.lstm(x.clone().requires_grad_(), *rest))
