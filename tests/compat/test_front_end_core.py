"""intel_extension_for_pytorch._C: questions about instruction sets, and the float32 math mode."""

from __future__ import annotations

import pytest
import torch

from torch_ipex_device.frontend import isa

core = pytest.importorskip("intel_extension_for_pytorch._C", reason="the compat distribution is not installed")
LEVELS = ("_get_current_isa_level", "_get_highest_binary_support_isa_level", "_get_highest_cpu_support_isa_level")


@pytest.mark.parametrize("name", [*LEVELS, "_get_current_onednn_isa_level"])
def test_level_is_one_of_the_archived_ones(name):
    assert getattr(core, name)() in isa.LEVELS


def test_levels_are_ours():
    assert core._get_current_isa_level() == isa.current()
    assert core._get_highest_binary_support_isa_level() == isa.built()
    assert core._get_highest_cpu_support_isa_level() == isa.supported()
    assert core._get_current_onednn_isa_level() == isa.onednn()
    assert core._check_not_sync_onednn_isa_level() is False


@pytest.mark.parametrize("level", isa.LEVELS[1:])
def test_instruction_set_is_there_or_not(level):
    assert getattr(core, f"isa_has_{level.lower()}_support")() is isa.has(level)


def test_dtypes_of_onednn():
    assert core.onednn_has_bf16_support() is isa.has_bf16_support()
    assert core.onednn_has_fp16_support() is isa.has_fp16_support()
    assert core.onednn_has_fp8_support() is False
    assert core.isa_has_amx_fp16_support() in (True, False)


def test_math_mode_is_that_of_the_package():
    switches = (torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv, torch.backends.mkldnn.rnn)
    before = [switch.fp32_precision for switch in switches]
    try:
        core.set_fp32_math_mode(core.FP32MathMode.BF32)
        assert core.get_fp32_math_mode() is core.FP32MathMode.BF32
        assert {switch.fp32_precision for switch in switches} == {"bf16"}
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = precision


def test_it_is_not_the_native_module():
    with pytest.raises(AttributeError, match=r"see docs/migration\.md"):
        core.roc_auc_score  # noqa: B018
    assert core.__name__ == "intel_extension_for_pytorch._C"
