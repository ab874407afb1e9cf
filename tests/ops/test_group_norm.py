"""Group normalisation of values that are not finite."""

from __future__ import annotations

import pytest
import torch

from torch_ipex_device.testing.compare import assert_same

from .calls import IPEX

aten = torch.ops.aten
INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("value", [NAN, INF, -INF, 1e30])
@pytest.mark.parametrize("groups", [1, 4])
def test_value_that_is_not_finite_spoils_its_group_only(value, groups):
    src = torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    src[1, 2, 0, 3] = value
    expected = aten.native_group_norm(src, None, None, 3, 4, 16, groups, 1e-5)
    actual = aten.native_group_norm(src.to(IPEX), None, None, 3, 4, 16, groups, 1e-5)
    assert_same(actual, expected, coefficient=4)
