"""Every classification family of torchvision: the same with and without fusion, and as in float64, to rounding."""

from __future__ import annotations

import copy
import importlib.util
import re

import pytest
import torch

from accuracy import difference
from families import FAMILIES, build
from torch_ipex_device.testing.torchvision_support import import_torchvision

from .nets import DEVICE

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed")


def test_every_family_is_there():
    def family(name: str) -> str:
        return re.match("[a-z]+", name)[0]

    module = import_torchvision().models
    assert {family(name) for name in module.list_models(module=module)} == {family(name) for name in FAMILIES}


@pytest.mark.parametrize("name", FAMILIES)
def test_family(name):
    model = build(name)
    images = torch.randn(2, 3, FAMILIES[name], FAMILIES[name])
    exact = copy.deepcopy(model).double()(images.double())
    model.to(DEVICE)
    before = torch.ipex.fusion_stats()
    # Intermediates that a module keeps in a variable are computed by themselves once, so the first forward may differ.
    fused = [model(images.to(DEVICE)).cpu().double() for _ in range(2)]
    after = torch.ipex.fusion_stats()
    torch.ipex.set_eager_fusion(False)
    alone = model(images.to(DEVICE)).cpu().double()
    assert after.fused - before.fused >= 10
    for result in fused:
        assert difference(result, alone) < 2e-5
        assert difference(result, exact) < max(3 * difference(alone, exact), 2e-5)
