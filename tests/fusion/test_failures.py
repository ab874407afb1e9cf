"""An execution that fails raises where the values are read, leaves them open, and may be tried again."""

from __future__ import annotations

import pytest

from device.programs import run_program
from sanitizers import without_address_sanitizer

# Under a limit that leaves no address space, a primitive whose code is to be made cannot run.
PROGRAM = """
import resource
import torch
import torch.nn.functional as F
from torch import nn
import torch_ipex_device as ipex

is_open = lambda tensor: ipex._C.physical_form(tensor)["open"]

torch.manual_seed(0)
module, x = {module}, torch.randn({shape})
read = lambda y: {read}
with torch.no_grad():
    warm = F.relu(nn.Conv2d(8, 8, 3).to("ipex")(torch.randn(2, 8, 32, 32, device="ipex")))
    read(warm)
    expected = F.gelu(module(x))
    module.to("ipex")
    hidden = module(x.to("ipex"))
    y = F.gelu(hidden)
    assert is_open(y)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    for _ in range(2):
        resource.setrlimit(resource.RLIMIT_AS, (used, limits[1]))
        try:
            read(y)
        except torch.OutOfMemoryError as error:
            resource.setrlimit(resource.RLIMIT_AS, limits)
            assert "E201" in str(error) and "address space" in str(error), error
        else:
            raise AssertionError("no error")
        assert is_open(y) and is_open(hidden)
    torch.testing.assert_close(y.cpu(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(F.gelu(hidden).cpu(), expected, rtol=1e-4, atol=1e-5)
"""


@without_address_sanitizer("ends the process when it needs address space itself")
@pytest.mark.parametrize("read", ["torch.ipex.synchronize()", "y.sum().item()", "y.add_(torch.ones(1, device='ipex'))"])
@pytest.mark.parametrize(
    ("module", "shape"),
    [
        ("nn.Conv2d(64, 96, 5, padding=2)", "4, 64, 56, 56"),
        ("nn.ConvTranspose2d(64, 32, 3, 2)", "2, 64, 56, 56"),
        ("nn.Linear(8192, 700)", "5, 8192"),
    ],
)
def test_no_address_space(module, shape, read):
    run_program(PROGRAM.format(module=module, shape=shape, read=read))
