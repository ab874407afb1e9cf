"""Allocator statistics: what counts, peaks, resets, and what people read."""

from __future__ import annotations

import gc

import pytest
import torch

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _no_garbage() -> None:
    gc.collect()


def test_allocation_and_release_are_counted() -> None:
    before = torch.ipex.memory_allocated()
    x = torch.empty(MIB, dtype=torch.uint8, device="ipex")
    assert MIB <= torch.ipex.memory_allocated() - before < MIB + 8192
    del x
    assert torch.ipex.memory_allocated() == before


def test_memory_of_cpu_kernels_is_counted() -> None:
    x = torch.ones(MIB // 4, device="ipex")
    before = torch.ipex.memory_allocated()
    y = torch.cumsum(x, 0)
    assert MIB <= torch.ipex.memory_allocated() - before < MIB + 8192
    del y
    assert torch.ipex.memory_allocated() == before


def test_views_cost_nothing() -> None:
    x = torch.ones(8, 8, device="ipex")
    before = torch.ipex.memory_stats()["allocation.all.current"]
    views = x.t(), x[1:], x.view(64), x.unsqueeze(0), x.detach(), x.expand(2, 8, 8)
    assert torch.ipex.memory_stats()["allocation.all.current"] == before
    assert len(views) == 6


def test_lent_memory_is_not_counted() -> None:
    cpu = torch.ones(MIB // 4)
    before = torch.ipex.memory_allocated()
    alias = torch.ipex.from_cpu(cpu)
    assert torch.ipex.memory_allocated() == before
    assert alias.sum().item() == MIB // 4


def test_peak_and_its_reset() -> None:
    torch.ipex.reset_peak_memory_stats()
    start = torch.ipex.memory_allocated()
    x = torch.empty(4 * MIB, dtype=torch.uint8, device="ipex")
    del x
    assert torch.ipex.max_memory_allocated() >= start + 4 * MIB
    torch.ipex.reset_peak_memory_stats()
    assert torch.ipex.max_memory_allocated() == torch.ipex.memory_allocated()


def test_accumulated_statistics_and_their_reset() -> None:
    torch.ipex.reset_accumulated_memory_stats()
    x = torch.empty(MIB, dtype=torch.uint8, device="ipex")
    del x
    stats = torch.ipex.memory_stats()
    assert stats["allocated_bytes.all.allocated"] >= MIB
    assert stats["allocated_bytes.all.freed"] >= MIB
    torch.ipex.reset_accumulated_memory_stats()
    assert torch.ipex.memory_stats()["allocated_bytes.all.allocated"] == 0


def test_reserved_is_at_least_allocated() -> None:
    x = torch.empty(MIB, device="ipex")
    assert torch.ipex.memory_reserved() >= torch.ipex.memory_allocated() >= x.nbytes
    assert torch.ipex.max_memory_reserved() >= torch.ipex.memory_reserved()


def test_nested_and_flat_statistics_agree() -> None:
    nested = torch.ipex.memory_stats_as_nested_dict()
    flat = torch.ipex.memory_stats()
    assert nested["allocated_bytes"]["all"]["current"] == flat["allocated_bytes.all.current"]
    assert nested["num_ooms"] == flat["num_ooms"]


def test_accelerator_reports_the_same() -> None:
    assert torch.accelerator.memory_allocated() == torch.ipex.memory_allocated()
    assert torch.accelerator.max_memory_allocated() == torch.ipex.max_memory_allocated()


def test_mem_get_info_is_plausible() -> None:
    free, total = torch.ipex.mem_get_info()
    assert 0 < free <= total
    assert total == torch.ipex.get_device_properties().total_memory


def test_failed_allocation_is_counted_and_changes_nothing_else() -> None:
    before = torch.ipex.memory_stats()
    with pytest.raises(torch.ipex.OutOfMemoryError, match="E201"):
        torch.empty(1 << 60, dtype=torch.uint8, device="ipex")
    after = torch.ipex.memory_stats()
    assert after["num_ooms"] == before["num_ooms"] + 1
    assert after["allocated_bytes.all.current"] == before["allocated_bytes.all.current"]


def test_empty_cache_keeps_tensors() -> None:
    x = torch.arange(1000, device="ipex")
    torch.ipex.empty_cache()
    torch.accelerator.empty_cache()
    assert x.sum().item() == 499500


def test_summary_shows_every_figure_with_its_unit() -> None:
    x = torch.empty(40 * MIB, dtype=torch.uint8, device="ipex")
    text = torch.ipex.memory_summary()
    assert "Allocated memory" in text
    assert "MiB" in text
    assert len(torch.ipex.memory_summary(abbreviated=True).splitlines()) == len(text.splitlines()) - 2
    del x


def test_blocks_are_aligned_to_64_bytes() -> None:
    assert all(torch.empty(n, dtype=torch.uint8, device="ipex").data_ptr() % 64 == 0 for n in (1, 3, 64, 1000, 100000))
