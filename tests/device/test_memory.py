"""Allocator statistics: what counts, peaks, resets, and what people read."""

from __future__ import annotations

import gc
import random
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sanitizers import without_address_sanitizer

from .programs import run_program

MIB = 1 << 20
pooled = without_address_sanitizer("takes the place of the pool")

PROLOGUE = """
import resource
import torch
import torch_ipex_device
MIB = 1 << 20
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
def page_faults(plan, times):
    # Of `times` walks through `plan`: sizes, and which of the tensors alive goes when there are more than four.
    def step():
        live = []
        for size, gone in plan:
            live.append(torch.empty(size, device="ipex").fill_(1))
            if len(live) > 4:
                live.pop(gone)
    for _ in range(5):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""


def run_alone(body: str) -> None:
    """Runs `body` in a process of its own, whose pool nothing else has used."""
    run_program(PROLOGUE + textwrap.dedent(body))


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


def test_chunks_never_overlap() -> None:
    """Every tensor keeps its own value while others of random sizes come and go, in two threads."""

    def work(seed: int) -> None:
        random_ = random.Random(seed)
        live: list[tuple[torch.Tensor, int]] = []
        for step in range(1500):
            if live and (len(live) > 40 or random_.random() < 0.45):
                x, value = live.pop(random_.randrange(len(live)))
                assert bool((x.cpu() == value).all())
            else:
                size = int(2 ** random_.uniform(8, 21))
                live.append((torch.full((size,), step % 251, dtype=torch.uint8, device="ipex"), step % 251))
        assert all(bool((x.cpu() == value).all()) for x, value in live)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, (1, 2)))


@pooled
def test_freed_memory_serves_other_sizes() -> None:
    run_alone("""
        many = [torch.ones(1 << 18, device="ipex") for _ in range(64)]
        del many
        before = torch.ipex.memory_reserved()
        few = [torch.ones(1 << 20, device="ipex") for _ in range(15)]
        grown = torch.ipex.memory_reserved() - before
        assert grown < MIB, grown
    """)


@pooled
def test_empty_cache_gives_memory_back() -> None:
    run_alone("""
        x = [torch.ones(1 << 18, device="ipex") for _ in range(64)]
        held = resident()
        del x
        assert torch.ipex.memory_reserved() > 64 * MIB
        torch.ipex.empty_cache()
        assert torch.ipex.memory_reserved() < MIB
        assert resident() < held - 60 * MIB, (held, resident())
    """)


@pooled
def test_memory_used_long_ago_does_not_wait() -> None:
    run_alone("""
        x = torch.ones(1 << 25, device="ipex")
        del x
        assert torch.ipex.memory_reserved() > 100 * MIB
        for _ in range(1 << 18):
            torch.empty(4096, device="ipex")
        assert torch.ipex.memory_reserved() < 20 * MIB, torch.ipex.memory_reserved()
    """)


@pooled
def test_the_same_sizes_again_cost_no_page_faults() -> None:
    run_alone("""
        sizes = [1 << 12, 3 << 14, 1 << 20, 5 << 17, 7 << 10, 1 << 18, 9 << 16] * 3
        faults = page_faults([(size, 0) for size in sizes], times=20)
        assert faults < 200, faults
    """)


@pooled
def test_large_sizes_in_any_order_cost_no_page_faults() -> None:
    run_alone("""
        import random
        generator = random.Random(1)
        faults = page_faults([(int(2 ** generator.uniform(18, 23)), generator.randrange(4)) for _ in range(60)], times=5)
        assert faults < 200, faults
    """)


@pooled
def test_a_model_that_moves_leaves_no_copy_in_the_heap() -> None:
    run_alone("""
        layers = torch.nn.Sequential(*[torch.nn.Linear(256, 256) for _ in range(400)])
        held = resident()
        layers.to("ipex")
        assert resident() < held + 30 * MIB, (held, resident())  # 105 MB of weights
    """)


def test_a_limit_of_address_space_is_kept() -> None:
    run_alone("""
        torch.ones(1, device="ipex")
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 48 * MIB, resource.RLIM_INFINITY))
        x = torch.ones(1 << 20, device="ipex")  # a segment of the usual size does not fit
        assert x.sum().item() == 1 << 20
        try:
            torch.empty(1 << 30, device="ipex")
        except torch.OutOfMemoryError as error:
            assert "E201" in str(error)
        else:
            raise AssertionError("no error")
        assert (x + 1).sum().item() == 2 << 20
    """)
