"""Element-wise operators on bfloat16 beside float32: computed in float32 by our own loops, as PyTorch promotes."""

from __future__ import annotations

import pytest
import torch

import torch_ipex_device as ipex

FUNCTIONS = {
    "add": lambda a, b: torch.add(a, b, alpha=2),
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "where": lambda a, b: torch.where(a > 0, a, b),
    "add_": lambda a, b: a.clone().add_(b),
    "mul_": lambda a, b: a.clone().mul_(b),
}
BF16 = ipex.AmpConf(torch.bfloat16)


def operands(layout: str) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    a, b = torch.randn(2, 5, 6, 7), torch.randn(2, 5, 6, 7).bfloat16()
    if layout == "broadcast":
        return a, b[:, :1]
    if layout == "orders":
        return a, b.contiguous(memory_format=torch.channels_last)
    return a, b


@pytest.mark.parametrize("layout", ["same", "broadcast", "orders"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_explicit(name, layout):
    a, b = operands(layout)
    with ipex.explain() as explanation:
        y = FUNCTIONS[name](a.to("ipex"), b.to("ipex"))
    assert {row.operator for row in explanation.rows if row.path == "fallback"} <= {"aten::gt.Scalar", "aten::clone"}
    expected = FUNCTIONS[name](a, b)
    assert y.dtype == torch.float32 and y.stride() == expected.stride()
    torch.testing.assert_close(y.cpu(), expected)
    if not name.endswith("_"):
        swapped = FUNCTIONS[name](b.to("ipex"), a.to("ipex"))
        torch.testing.assert_close(swapped.cpu(), FUNCTIONS[name](b, a))


def test_a_scalar_tensor_does_not_widen():
    b = operands("same")[1].to("ipex")
    assert (b + torch.tensor(2.0, device="ipex")).dtype == torch.bfloat16


@pytest.mark.parametrize("name", FUNCTIONS)
def test_mixed_precision_makes_no_wide_copy(name):
    torch.manual_seed(0)
    x, weight = torch.randn(64, 64, device="ipex"), torch.randn(64, 64, device="ipex")
    with torch.no_grad(), ipex.AutoMixPrecision(BF16):
        branch = torch.nn.functional.linear(x, weight)
        with ipex.explain() as explanation:
            y = FUNCTIONS[name](x, branch)
        assert not any(row.materializations for row in explanation.rows)
        assert ipex.physical_form(branch).dtype == "BFloat16"
    torch.testing.assert_close(y.cpu(), FUNCTIONS[name](x.cpu(), branch.cpu()))


def test_what_is_written_in_place_is_float32():
    """The target is held in bfloat16 only, the other operand is float32: the sum is not rounded."""
    torch.manual_seed(0)
    x, weight = torch.randn(64, 64, device="ipex"), torch.randn(64, 64, device="ipex")
    with torch.no_grad(), ipex.AutoMixPrecision(BF16):
        y = torch.nn.functional.linear(x, weight)
        before = y.clone().cpu()
        y.add_(x)
    assert torch.equal(y.cpu(), before + x.cpu())
