"""Random programs do the same with eager fusion as on the CPU; programs.py runs more of them."""

import torch

from .programs import check_many, check_mixed


def test_programs_in_one_thread():
    before = torch.ipex.fusion_stats()
    check_many(300, threads=1)
    assert torch.ipex.fusion_stats().fused - before.fused > 100


def test_programs_in_two_threads():
    check_many(300, threads=2, first=10_000)


def test_programs_in_mixed_precision():
    before = torch.ipex.fusion_stats()
    check_many(200, threads=1, check=check_mixed)
    assert torch.ipex.fusion_stats().opened > before.opened
