"""Every module of module_db, in training and evaluation, does on ipex what it does on CPU."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from torch.testing._internal.common_modules import ModuleInfo, ModuleInput, module_db

from torch_ipex_device.testing.compare import IPEX, assert_same
from torch_ipex_device.testing.transfer import Transfer

from .checks import CPU
from .outcome import SEED, Outcome, assert_same_gradients, assert_same_outcome, differentiate, observe, reseed
from .tally import assert_floor, count
from .tolerances import coefficient

DATABASE = "module_db"
CASES = [
    pytest.param(info, dtype, training, id=f"{info.formatted_name}-{str(dtype)[6:]}-{'train' if training else 'eval'}")
    for info in module_db
    for dtype in (torch.float32, torch.float64)
    if dtype in info.supported_dtypes("cpu")
    for training in (True, False)
]


def _samples(info: ModuleInfo, dtype: torch.dtype, training: bool) -> list[ModuleInput]:
    torch.manual_seed(SEED)
    random.seed(SEED)
    return list(info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training))


def _build(
    info: ModuleInfo, sample: ModuleInput, dtype: torch.dtype, training: bool, device: torch.device
) -> torch.nn.Module:
    reseed()
    given = copy.deepcopy(sample.constructor_input)
    module: torch.nn.Module = info.module_cls(*given.args, **given.kwargs)
    return module.to(dtype).to(device).train(training)


def _run(module: torch.nn.Module, sample: ModuleInput, device: torch.device) -> Outcome:
    move = Transfer(device)
    given = sample.forward_input
    return observe(module, move(given.args), move(given.kwargs), device)


@pytest.mark.parametrize(("info", "dtype", "training"), CASES)
def test_module_agrees_with_cpu(info: ModuleInfo, dtype: torch.dtype, training: bool) -> None:
    count(DATABASE, "cases")
    factor = coefficient(info.name, dtype)
    for sample in _samples(info, dtype, training):
        if sample.forward_input is None:  # a sample for constructor tests only
            continue
        ours, theirs = (_build(info, sample, dtype, training, device) for device in (IPEX, CPU))
        actual, expected = _run(ours, sample, IPEX), _run(theirs, sample, CPU)
        if not assert_same_outcome(actual, expected, values=True, coefficient=factor):
            continue
        count(DATABASE, "forward")
        state, reference = dict(ours.state_dict()), dict(theirs.state_dict())
        assert_same(state, reference, where="state after forward", coefficient=factor)
        count(DATABASE, "state")
        if differentiate(expected, lambda result: result, theirs.parameters()):
            differentiate(actual, lambda result: result, ours.parameters())
            if assert_same_gradients(actual, expected, values=True, coefficient=factor):
                count(DATABASE, "backward")


def test_executed_counts_reach_the_floor(request: pytest.FixtureRequest) -> None:
    assert_floor(DATABASE, request, len(CASES))
