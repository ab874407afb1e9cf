"""CPUPool, pin and the topology: threads are where they are told to be, and go back."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from torch_ipex_device.cpu.runtime import CPUPool, get_core_list_of_node_id, is_runtime_ext_enabled, pin, topology
from torch_ipex_device.cpu.runtime.affinity import masks_of_team

CORES = sorted(os.sched_getaffinity(0))
TWO = pytest.mark.skipif(len(CORES) < 2, reason="needs two cores")


@pytest.fixture(autouse=True)
def threads_are_where_they_were() -> Iterator[None]:
    before = masks_of_team(), torch.get_num_threads()
    yield
    assert (masks_of_team(), torch.get_num_threads()) == before


def here() -> tuple[set[int], int]:
    """Where the threads of a kernel called now may run, all of them, and how many there are."""
    masks = masks_of_team()
    assert len(masks) == torch.get_num_threads()
    return set().union(*masks.values()), len(masks)


def test_it_needs_no_library() -> None:
    assert is_runtime_ext_enabled() is True


def test_default_pool_has_all_cores_of_the_process() -> None:
    assert CPUPool().core_ids == CORES
    assert CPUPool().cpu_pool.get_core_list() == CORES


@pytest.mark.parametrize("kind", [list, tuple])
def test_pool_of_chosen_cores(kind: type) -> None:
    assert CPUPool(kind(CORES[-1:])).core_ids == CORES[-1:]
    assert CPUPool(range(CORES[0], CORES[0] + 1)).core_ids == CORES[:1]
    assert CPUPool(CORES[:1] * 2).core_ids == CORES[:1]
    assert repr(CPUPool(CORES[:1])) == f"CPUPool({CORES[:1]})"


def test_pool_of_a_node() -> None:
    cores = get_core_list_of_node_id(0)
    assert cores == sorted(set(cores))
    if set(cores) & set(CORES):
        assert CPUPool(node_id=0).core_ids == [core for core in cores if core in CORES]


def test_cores_come_before_nodes(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "torch_ipex_device"):
        assert CPUPool(CORES[:1], node_id=0).core_ids == CORES[:1]
    assert "core_ids are used" in caplog.text


def test_cores_of_others_are_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "torch_ipex_device"):
        assert CPUPool([*CORES[:1], 100_000]).core_ids == CORES[:1]
    assert "100000" in caplog.text


def test_a_process_on_one_core_has_one() -> None:
    program = "from torch_ipex_device.cpu.runtime import CPUPool, MultiStreamModule; import torch\nprint(CPUPool())\n"
    program += "print(MultiStreamModule(torch.nn.Linear(2, 2))(torch.ones(3, 2)).shape)"
    done = subprocess.run(
        ["taskset", "-c", str(CORES[-1]), sys.executable, "-c", program],
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == [f"CPUPool([{CORES[-1]}])", "torch.Size([3, 2])"]


@pytest.mark.parametrize("cores", [[100_000], [], [-1]])
def test_pool_without_cores_is_refused(cores: list[int]) -> None:
    with pytest.raises(ValueError, match=r"\[CPUPool\] E103 got cores .*, none of which the process may use; accepted"):
        CPUPool(cores)


@pytest.mark.parametrize("cores", [3, "01", [0.5], {0}])
def test_other_types_of_cores_are_refused(cores: Any) -> None:
    with pytest.raises(TypeError, match=r"\[CPUPool\] E101 got core_ids="):
        CPUPool(cores)


@pytest.mark.parametrize("node", [1000, -1, "0", None])
def test_unknown_nodes_are_refused(node: Any) -> None:
    with pytest.raises(ValueError, match=r"\[get_core_list_of_node_id\] E103 got node_id=.*; accepted: 0"):
        get_core_list_of_node_id(node)


def test_topology_of_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes, cpus = tmp_path / "node", tmp_path / "cpu"
    for node, text in ((0, "0-1,4-5"), (1, "2-3,6-7")):
        (nodes / f"node{node}").mkdir(parents=True)
        (nodes / f"node{node}" / "cpulist").write_text(f"{text}\n")
    for cpu in range(8):  # 4 cores of 2 hardware threads
        (cpus / f"cpu{cpu}" / "topology").mkdir(parents=True)
        (cpus / f"cpu{cpu}" / "topology" / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    monkeypatch.setattr(topology, "_NODES", nodes)
    monkeypatch.setattr(topology, "_CPUS", cpus)
    assert [get_core_list_of_node_id(node) for node in (0, 1)] == [[0, 1], [2, 3]]
    monkeypatch.setattr(topology, "_NODES", tmp_path / "nothing")
    assert get_core_list_of_node_id(0) == sorted({core % 4 for core in CORES} & set(CORES))


@pytest.mark.parametrize("count", range(1, len(CORES) + 1))
def test_kernels_run_on_the_cores_of_the_pool(count: int) -> None:
    cores = CORES[-count:]
    with pin(CPUPool(cores)):
        assert here() == (set(cores), count)
        torch.ones(1000, 1000).sum()
        assert here() == (set(cores), count)


def test_pins_nest_and_end_with_exceptions() -> None:
    @pin(CPUPool(CORES))
    def fail() -> None:
        assert here() == (set(CORES), len(CORES))
        raise KeyError

    with pin(CPUPool(CORES[:1])):
        with pytest.raises(KeyError):
            fail()
        assert here() == (set(CORES[:1]), 1)


def test_pinned_thread_still_sees_all_cores() -> None:
    with pin(CPUPool(CORES[:1])):
        assert CPUPool().core_ids == CORES


def test_decorated_function_and_a_pin_used_twice() -> None:
    pinned = pin(CPUPool(CORES[:1]))

    @pinned
    def where() -> tuple[set[int], int]:
        return here()

    for _ in range(2):
        assert where() == (set(CORES[:1]), 1)
        with pinned, pinned:
            assert here() == (set(CORES[:1]), 1)


@TWO
def test_every_thread_has_a_pin_of_its_own() -> None:
    found: dict[str, Any] = {}
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with pin(CPUPool(CORES[1:2])):
            found["other"] = here()
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with pin(CPUPool(CORES[:1])):
        thread.start()
        entered.wait(10)
        assert here() == (set(CORES[:1]), 1)
        leave.set()
        thread.join()
    assert found["other"] == (set(CORES[1:2]), 1)


def test_results_are_the_same() -> None:
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(64, 64).to("ipex"), torch.randn(32, 64, device="ipex")
    with pin(CPUPool(CORES[:1])), torch.no_grad():
        pinned = layer(x).cpu()
    torch.testing.assert_close(pinned, layer(x).detach().cpu())


def test_pin_takes_pools_only() -> None:
    with pytest.raises(TypeError, match=r"\[pin\] E101 got list as cpu_pool; accepted: CPUPool"):
        pin(CORES)  # type: ignore[arg-type]
