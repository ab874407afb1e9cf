"""The tables of exceptions are short, justified and name existing operators."""

from __future__ import annotations

from torch.testing._internal.common_methods_invocations import op_db

from .exceptions import EXCEPTED, HOST_ARGUMENTS, MOST_EXCEPTED, UNINITIALISED
from .tolerances import TOLERANCES, rows_of


def test_few_operators_are_excepted() -> None:
    assert len(EXCEPTED) <= MOST_EXCEPTED


def test_every_exception_has_reason_and_link() -> None:
    for name, excepted in EXCEPTED.items():
        assert len(excepted.reason) > 20, name
        assert excepted.link.startswith("https://"), name


def test_tables_name_operators_of_op_db() -> None:
    names = {operator.name for operator in op_db}
    for table in (UNINITIALISED, HOST_ARGUMENTS):
        assert set(table) <= names
    assert set(EXCEPTED) <= {operator.formatted_name for operator in op_db}


def test_every_tolerance_has_a_reason() -> None:
    for name in TOLERANCES:
        for tolerance in rows_of(name):
            factor = tolerance.coefficient
            assert (factor if isinstance(factor, float) else max(factor)) > 1, name
            assert len(tolerance.reason) > 20, name
