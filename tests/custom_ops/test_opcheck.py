"""PyTorch's own checks of operators: schema, fake kernels, autograd, tracing with dynamic shapes."""

from __future__ import annotations

import pytest
import torch
from torch import library
from torch.utils import _pytree as pytree

from .cases import CASES, DEVICES, OPS, Case, converted, lstm_arguments, numbers

# Operators that cases call by another function, and names of arguments.
CALLED = {name: case for name, case in CASES.items() if isinstance(case.operator, torch._ops.OpOverloadPacket)}
SHORT = lstm_arguments(4, 4, layers=1, bidirectional=False, batch=2, steps=2)  # steps are unrolled while it is traced
CALLED["lstm"] = Case(OPS.lstm, SHORT, CALLED["lstm"].reference)
EVERYTHING = (
    numbers(2, 3, 7, 7),
    numbers(4, 3, 3, 3, seed=1),
    numbers(4, seed=2),
    [1, 1],
    [1, 1],
    [1, 1],
    False,
    [0, 0],
    1,
    numbers(2, 4, 7, 7, seed=3),
    "gelu",
    numbers(4, seed=4),
    numbers(4, seed=5).abs(),
    numbers(4, seed=6),
    numbers(4, seed=7),
    1e-5,
)
STATISTICS = (11, 12)  # have no gradients
ON_IPEX = ("test_schema", "test_faketensor", "test_aot_dispatch_dynamic")
"""The check of autograd's registration knows CPU, CUDA and XPU only."""
KNOWN = "aten::lstm.input on ipex asks for the number of elements of a tensor with dynamic sizes"


ALL = (*ON_IPEX, "test_autograd_registration")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CALLED)
def test_without_gradients(name, device):
    checks = ON_IPEX[:2] if device == "ipex" else ALL
    library.opcheck(CALLED[name].operator.default, converted(CALLED[name].arguments, device), test_utils=checks)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CALLED)
def test_with_gradients(name, device):
    arguments = pytree.tree_map_only(
        torch.Tensor, lambda t: t.to(device).clone().requires_grad_(), CALLED[name].arguments
    )
    library.opcheck(CALLED[name].operator.default, arguments, test_utils=ON_IPEX if device == "ipex" else ALL)


@pytest.mark.filterwarnings("ignore")
def test_convolution_with_everything():
    library.opcheck(OPS.convolution.default, EVERYTHING)
    arguments = [
        a.clone().requires_grad_() if isinstance(a, torch.Tensor) and i not in STATISTICS else a
        for i, a in enumerate(EVERYTHING)
    ]
    library.opcheck(OPS.convolution.default, tuple(arguments))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operator", [OPS.to_device, OPS.resident])
def test_other_devices(operator):
    library.opcheck(operator.default, (numbers(3, 2),))
    library.opcheck(OPS.to_host.default, (numbers(3, 2).to("ipex"),))
