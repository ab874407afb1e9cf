"""Every operator of op_db in ten dtypes, with its first samples, does on ipex what it does on CPU."""

from __future__ import annotations

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import OpInfo

from .checks import Checks
from .op_db_case import DTYPES, cases, judge
from .tally import assert_floor

DATABASE = "op_db ten dtypes"
MOST_SAMPLES = 20
CASES = cases(op_db, DTYPES)


@pytest.mark.parametrize(("operator", "dtype"), CASES)
def test_operator_agrees_with_cpu(operator: OpInfo, dtype: torch.dtype) -> None:
    judge(DATABASE, operator, Checks(operator, dtype, MOST_SAMPLES).run())


def test_executed_counts_reach_the_floor(request: pytest.FixtureRequest) -> None:
    assert_floor(DATABASE, request, len(CASES))
