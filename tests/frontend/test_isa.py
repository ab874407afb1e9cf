"""Instruction sets: levels are ordered, agree with oneDNN and PyTorch, and follow ONEDNN_MAX_CPU_ISA."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest
import torch

from torch_ipex_device.frontend import isa

ORDER = ["DEFAULT", "AVX2", "AVX2_VNNI", "AVX512", "AVX512_VNNI", "AVX512_BF16", "AMX", "AVX512_FP16"]
AVX512 = {"avx2", "fma3", "avx512_f", "avx512_bw", "avx512_vl", "avx512_dq", "avx512_cd"}
SAPPHIRE_RAPIDS = AVX512 | {"avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16", "avx512_fp16", "avx_vnni"}


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """What this processor pretends to have."""
    found: set[str] = set()
    monkeypatch.setattr(isa, "_capabilities", lambda: dict.fromkeys(found, True))
    return found


def test_levels_are_those_of_the_archived_extension() -> None:
    assert list(isa.LEVELS) == ORDER


def test_answers_are_levels_and_in_order() -> None:
    answers = [isa.current(), isa.built(), isa.supported(), isa.onednn()]
    assert set(answers) <= set(ORDER)
    assert ORDER.index(isa.current()) <= min(map(ORDER.index, (isa.built(), isa.supported(), isa.onednn())))
    assert ORDER.index(isa.onednn()) <= ORDER.index(isa.supported())


def test_supported_is_what_pytorch_says() -> None:
    assert isa.has("AVX2") == torch.cpu._is_avx2_supported()
    assert isa.has("AVX512") == torch.cpu._is_avx512_supported()
    assert isa.has("AVX512_VNNI") == torch.cpu._is_vnni_supported()


@pytest.mark.parametrize(
    ("capabilities", "level"),
    [
        (set(), "DEFAULT"),
        ({"avx2"}, "DEFAULT"),
        ({"avx2", "fma3"}, "AVX2"),
        ({"avx2", "fma3", "avx_vnni"}, "AVX2_VNNI"),
        (AVX512, "AVX512"),
        (AVX512 | {"avx_vnni"}, "AVX512"),
        (AVX512 - {"avx512_dq"}, "AVX2"),
        (AVX512 | {"avx512_vnni"}, "AVX512_VNNI"),
        (AVX512 | {"avx512_bf16"}, "AVX512"),
        (AVX512 | {"avx512_vnni", "avx512_bf16"}, "AVX512_BF16"),
        (SAPPHIRE_RAPIDS - {"avx512_fp16"}, "AMX"),
        (SAPPHIRE_RAPIDS - {"amx_int8"}, "AVX512_BF16"),
        (SAPPHIRE_RAPIDS, "AVX512_FP16"),
    ],
)
def test_level_of_processors(processor: set[str], capabilities: set[str], level: str) -> None:
    processor |= capabilities
    assert isa.supported() == level
    assert isa.has(level)
    assert not any(isa.has(later) for later in ORDER[ORDER.index(level) + 1 :])


def test_every_set_of_onednn_has_a_level() -> None:
    known = set(torch.ipex.get_arch_list()) - {"sse41", "avx"}
    assert known == set(isa._LEVEL_OF_ONEDNN)


def test_unknown_level_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\[isa.has\] E103 got 'SSE5'; accepted: DEFAULT, AVX2"):
        isa.has("SSE5")


def test_onednns_limit_limits_loops_too() -> None:
    program = (
        "import torch_ipex_device\nfrom torch_ipex_device.frontend import isa\n"
        "print(isa.onednn(), isa.current(), isa.has_bf16_support(), isa.has_fp16_support(), isa.has_amx_support())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["AVX2", "AVX2", "False", "False", "False"]


@pytest.mark.skipif(not isa.has("AVX512"), reason="this processor has no AVX-512")
def test_bfloat16_needs_avx512() -> None:
    assert isa.has_bf16_support()
