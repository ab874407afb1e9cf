"""The CPU fallback as users see it: counts, policies, third-party operators."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _fresh_counts() -> Iterator[None]:
    policy = torch.ipex.get_fallback_policy()
    torch.ipex.reset_fallback_stats()
    yield
    torch.ipex.set_fallback_policy(policy)


def test_calls_are_counted_per_operator() -> None:
    x = torch.arange(4.0, device="ipex")
    torch.ipex.reset_fallback_stats()
    for _ in range(3):
        torch.cumsum(x, 0)
    torch.cumprod(x, 0)
    assert torch.ipex.fallback_stats() == {"aten::cumsum": 3, "aten::cumprod": 1}
    assert torch.ipex.operator_stats()["aten::cumsum"] == torch.ipex.OperatorCount(native=0, fallback=3)


def test_native_operators_are_no_fallback() -> None:
    x = torch.randn(4, 4, device="ipex")
    torch.ipex.reset_fallback_stats()
    with torch.ipex.fallback_policy("error"):
        torch.softmax(x, 1)
        x.view(2, 8).t()
    assert torch.ipex.operator_stats()["aten::_softmax"] == (1, 0)
    assert torch.ipex.fallback_stats() == {}


def test_reset_forgets() -> None:
    torch.cumsum(torch.ones(2, device="ipex"), 0)
    torch.ipex.reset_fallback_stats()
    assert torch.ipex.fallback_stats() == {}
    assert torch.ipex.operator_stats() == {}


def test_counts_of_all_threads_add_up() -> None:
    x = torch.ones(8, device="ipex")
    torch.ipex.reset_fallback_stats()
    threads = [threading.Thread(target=lambda: [torch.cumsum(x, 0) for _ in range(250)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.ipex.fallback_stats()["aten::cumsum"] == 1000


def test_error_policy_forbids_and_leaves_operands_alone() -> None:
    x = torch.arange(3.0, device="ipex")
    version = x._version
    with torch.ipex.fallback_policy("error"), pytest.raises(RuntimeError, match=r"E105.*cumsum|cumsum.*E105"):
        x.cumsum_(0)
    assert x.tolist() == [0, 1, 2]
    assert x._version == version
    assert torch.cumsum(x, 0).tolist() == [0, 1, 3]


def test_warn_policy_warns_once_per_operator() -> None:
    x = torch.ones(3, device="ipex")
    with torch.ipex.fallback_policy("warn"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            torch.cummax(x, 0)
        torch.cummin(x, 0)
    messages = [str(warning.message) for warning in caught]
    assert sum("cummax" in message for message in messages) == 1
    assert sum("cummin" in message for message in messages) == 1


def test_policy_context_nests_and_restores_after_an_error() -> None:
    x = torch.ones(2, device="ipex")
    torch.ipex.set_fallback_policy("silent")
    with torch.ipex.fallback_policy("warn"):
        with torch.ipex.fallback_policy("error"), pytest.raises(RuntimeError, match="E105"):
            torch.cumsum(x, 0)
        assert torch.ipex.get_fallback_policy() == "warn"
        with contextlib.suppress(KeyError), torch.ipex.fallback_policy("error"):
            raise KeyError
        assert torch.ipex.get_fallback_policy() == "warn"
    assert torch.ipex.get_fallback_policy() == "silent"


@pytest.mark.parametrize("policy", ["loud", "", "ERROR"])
def test_unknown_policy_is_refused_and_the_old_one_stays(policy: str) -> None:
    before = torch.ipex.get_fallback_policy()
    with pytest.raises(ValueError, match=r"E501.*silent, warn, error"):
        torch.ipex.set_fallback_policy(policy)
    assert torch.ipex.get_fallback_policy() == before


def test_third_party_operator_with_a_cpu_kernel_works() -> None:
    @torch.library.custom_op("ipex_device_tests::scale_", mutates_args={"x"}, device_types="cpu")
    def scale_(x: torch.Tensor, by: float) -> torch.Tensor:
        assert x.device.type == "cpu"
        x.mul_(by)
        return x + 1

    x = torch.ones(3, device="ipex")
    y = scale_(x, 2.0)
    assert y.is_ipex
    assert x.tolist() == [2, 2, 2]
    assert y.tolist() == [3, 3, 3]
    assert torch.ipex.fallback_stats()["ipex_device_tests::scale_"] == 1


def test_operator_without_a_cpu_kernel_says_so() -> None:
    with torch.library._scoped_library("ipex_device_tests_2", "DEF") as library:
        library.define("nowhere(Tensor x) -> Tensor")
        with pytest.raises(NotImplementedError, match=r"E106|nowhere"):
            torch.ops.ipex_device_tests_2.nowhere(torch.ones(2, device="ipex"))


def test_results_of_the_fallback_live_on_the_device() -> None:
    values, indices = torch.ones(3, 2, device="ipex").sort(0)
    assert values.is_ipex
    assert indices.is_ipex


def test_mixed_devices_are_named_before_the_policy_is_asked() -> None:
    with torch.ipex.fallback_policy("error"), pytest.raises(RuntimeError, match="E102"):
        torch.hypot(torch.ones(2, device="ipex"), torch.ones(2))
