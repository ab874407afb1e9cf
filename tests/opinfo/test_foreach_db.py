"""Every `_foreach_*` operator of PyTorch's foreach databases does on ipex what it does on CPU."""

from __future__ import annotations

import pytest
import torch
from torch.testing._internal import common_methods_invocations as databases
from torch.testing._internal.opinfo.core import OpInfo

from .checks import Checks
from .op_db_case import cases, judge
from .tally import assert_floor

DATABASE = "foreach"
MOST_SAMPLES = 60
OPERATORS = (
    *databases.foreach_unary_op_db,
    *databases.foreach_binary_op_db,
    *databases.foreach_pointwise_op_db,
    *databases.foreach_reduce_op_db,
    *databases.foreach_other_op_db,
)
CASES = cases(OPERATORS, [torch.float32, torch.bfloat16, torch.complex64, torch.int64])


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_operator_agrees_with_cpu(operator: OpInfo, dtype: torch.dtype) -> None:
    judge(DATABASE, operator, Checks(operator, dtype, MOST_SAMPLES).run())


def test_executed_counts_reach_the_floor(request: pytest.FixtureRequest) -> None:
    assert_floor(DATABASE, request, len(CASES))
