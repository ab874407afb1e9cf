"""Collectives on ipex tensors are gloo's on the same memory: equal to CPU tensors bit for bit, without copies."""

from __future__ import annotations

import pytest

from distributed.launch import run_ranks


def test_every_collective_equals_the_cpu_in_every_dtype() -> None:
    printed = run_ranks("collectives").splitlines()
    assert printed[0] == "29 collectives, 264 equal, 26 refused as on CPU"
    # Gloo itself refuses averages of whole numbers, bits of others, and most of complex numbers.
    refused = printed[1:]
    assert all(("AVG" in line) or ("all_reduce B" in line) or line.endswith("complex64") for line in refused), refused


@pytest.fixture(scope="module")
def aliasing() -> str:
    return run_ranks("aliasing")


@pytest.mark.parametrize(
    "behaviour",
    [
        "broadcast_into_a_packed_weight",
        "receive_into_a_weight_in_use",
        "reduce_values_in_another_order",
        "write_what_an_open_value_reads",
        "work_of_async_operations",
        "tensors_with_gaps",
        "sparse_tensors",
        "no_copies",
        "failed_work_raises",
    ],
)
def test_aliasing(aliasing: str, behaviour: str) -> None:
    assert behaviour in aliasing.splitlines()
