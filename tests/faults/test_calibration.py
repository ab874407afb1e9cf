"""INT8 calibration and ipex.explain() after a fault: nothing is seen twice or missed, blocks end as they should."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import Tensor

import torch_ipex_device as ipex
from primitives import forget_primitives
from torch_ipex_device.int8 import modules
from torch_ipex_device.testing import faults

from .injecting import SITES
from .models import CNN, IMAGES

FAILURES = (torch.OutOfMemoryError, RuntimeError)


def calibrated(site: str, at: int | None) -> tuple[ipex.AmpConf, int, bool]:
    """Calibrates and reads; what failed to be computed is read again. Returns whether anything failed, too."""
    model, conf = copy.deepcopy(CNN).eval().to("ipex"), ipex.AmpConf(torch.int8)
    forget_primitives()
    failed = False
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        y = model[0](IMAGES.to("ipex"))
        with faults(site, at) as injected:
            try:
                y.cpu()
            except FAILURES:
                failed = True
        y.cpu()
    return conf, injected.passes, failed


@pytest.mark.parametrize("site", SITES)
def test_what_is_read_again_is_observed_once(site: str) -> None:
    expected, passes, _ = calibrated(site, None)
    for at in range(1, passes + 1):
        conf, _, failed = calibrated(site, at)
        assert failed
        assert conf.calibration.entries() == expected.calibration.entries()


@pytest.mark.parametrize("site", ["allocation", "execution"])
def test_end_of_a_block_fails_once_and_leaves_nothing_on(site: str) -> None:
    model, conf = copy.deepcopy(CNN).eval().to("ipex"), ipex.AmpConf(torch.int8)
    x = IMAGES.to("ipex")

    def calibrate(end: contextlib.ExitStack) -> Tensor:
        with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
            y: Tensor = model[0](x)
            end.enter_context(faults(site, at=1))
        return y

    with contextlib.ExitStack() as end, pytest.raises(FAILURES, match=r"E[23]01"):
        calibrate(end)
    assert ipex.get_auto_mix_precision() is None
    assert not modules._stack()
    assert not modules._hooks._handles


@pytest.mark.parametrize("make", [ipex.explain, lambda: ipex.AutoMixPrecision(ipex.AmpConf(torch.int8), "calibration")])
def test_block_that_failed_raises_its_own_error(make: Callable[[], AbstractContextManager[object]]) -> None:
    model, x, results = copy.deepcopy(CNN).eval().to("ipex"), IMAGES.to("ipex"), []

    def fail(end: contextlib.ExitStack) -> None:
        with torch.no_grad(), make():
            results.append(model[0](x))
            end.enter_context(faults("execution", at=1, times=1000))
            raise KeyError("mine")

    with contextlib.ExitStack() as end, pytest.raises(KeyError, match="mine"):
        fail(end)
    assert results[0].cpu().shape == (2, 16, 14, 14)
