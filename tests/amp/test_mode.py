"""AutoMixPrecision and enable_auto_mixed_precision: what is accepted, nesting, threads, decorators, errors."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import torch_ipex_device as ipex

BF16 = ipex.AmpConf(torch.bfloat16)


@pytest.fixture(autouse=True)
def process_mode_is_off() -> Iterator[None]:
    yield
    ipex.enable_auto_mixed_precision(None)


def test_off_at_first() -> None:
    assert ipex.get_auto_mix_precision() is None
    assert ipex.get_train() is False


def test_process_mode_holds_in_all_threads_and_ends() -> None:
    ipex.enable_auto_mixed_precision(train=True)
    seen = []
    thread = threading.Thread(target=lambda: seen.append((ipex.get_auto_mix_precision(), ipex.get_train())))
    thread.start()
    thread.join()
    assert seen == [(torch.bfloat16, True)]
    ipex.enable_auto_mixed_precision(None)
    assert (ipex.get_auto_mix_precision(), ipex.get_train()) == (None, False)


def test_contexts_nest_and_belong_to_their_thread() -> None:
    seen = []
    with ipex.AutoMixPrecision(BF16, "training"):
        with ipex.AutoMixPrecision(ipex.AmpConf(None)):
            assert (ipex.get_auto_mix_precision(), ipex.get_train()) == (None, False)
        assert (ipex.get_auto_mix_precision(), ipex.get_train()) == (torch.bfloat16, True)
        thread = threading.Thread(target=lambda: seen.append(ipex.get_auto_mix_precision()))
        thread.start()
        thread.join()
    assert seen == [None]
    assert ipex.get_auto_mix_precision() is None


def test_a_context_may_be_used_again_and_inside_itself() -> None:
    context = ipex.AutoMixPrecision(BF16)
    for _ in range(2):
        with context, context:
            assert ipex.get_auto_mix_precision() == torch.bfloat16
        assert ipex.get_auto_mix_precision() is None


def test_an_exception_ends_the_context() -> None:
    with pytest.raises(KeyError), ipex.AutoMixPrecision(BF16):
        raise KeyError
    assert ipex.get_auto_mix_precision() is None


def test_functions_and_generators_are_decorated() -> None:
    @ipex.AutoMixPrecision(BF16)
    def function(depth: int) -> Any:
        return ipex.get_auto_mix_precision() if depth == 0 else function(depth - 1)

    @ipex.AutoMixPrecision(BF16)
    def generator() -> Iterator[Any]:
        yield ipex.get_auto_mix_precision()
        yield ipex.get_auto_mix_precision()

    assert function(2) == torch.bfloat16
    outside = []
    for inside in generator():
        assert inside == torch.bfloat16
        outside.append(ipex.get_auto_mix_precision())
    assert outside == [None, None]


def test_contexts_pickle() -> None:
    copy = pickle.loads(pickle.dumps(ipex.AutoMixPrecision(BF16, "training")))
    with copy:
        assert (ipex.get_auto_mix_precision(), ipex.get_train()) == (torch.bfloat16, True)


@pytest.mark.parametrize(
    ("call", "exception", "text"),
    [
        (lambda: ipex.AmpConf(torch.float16), ValueError, "E103 got torch.float16; accepted: torch.bfloat16"),
        (lambda: ipex.AmpConf("bfloat16"), TypeError, "E101 got str"),
        (lambda: ipex.AmpConf(torch.bfloat16, "recipe.json"), ValueError, "only torch.int8 has recipes"),
        (lambda: ipex.AmpConf(torch.bfloat16, 3), TypeError, "E101 got int as configure_file"),
        (lambda: ipex.AutoMixPrecision(torch.bfloat16), TypeError, "E101 got dtype; accepted: ipex.AmpConf"),
        (
            lambda: ipex.AutoMixPrecision(BF16, "train"),
            ValueError,
            "running_mode='train'; accepted: inference, training",
        ),
        (lambda: ipex.enable_auto_mixed_precision(torch.float64), ValueError, "E103"),
        (
            lambda: ipex.enable_auto_mixed_precision(torch.int8),
            ValueError,
            "E103 got torch.int8; accepted: torch.bfloat16 or",
        ),
        (lambda: ipex.enable_auto_mixed_precision(train=1), TypeError, "E101 got int as train"),
        (lambda: ipex.amp.set_policy("aten::sum", "low"), ValueError, "always computes in float32"),
        (lambda: ipex.amp.set_policy("aten::linear", "bf16"), ValueError, "accepted: low, follow, float32"),
        (lambda: ipex.amp.set_policy(1, "low"), TypeError, "E101"),
    ],
)
def test_what_is_not_accepted_changes_nothing(call: Any, exception: type[Exception], text: str) -> None:
    policy = ipex.amp.policy()
    with pytest.raises(exception, match=text.replace("(", r"\(")):
        call()
    assert ipex.get_auto_mix_precision() is None
    assert ipex.amp.policy() == policy
