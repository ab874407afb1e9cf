"""torch.ipex: the names it offers and leaves out, the current device, device arguments, and what the device is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import _torch_ipex_device_autoload as autoload

OFFERED = sorted(autoload.SURFACE)
DECISIONS = Path(__file__).parents[2] / "docs" / "device.md"


@pytest.mark.parametrize("name", OFFERED)
def test_offered_name_resolves(name: str) -> None:
    assert getattr(torch.ipex, name) is getattr(torch.ipex, name)


@pytest.mark.parametrize(
    "name", ["cudart", "graph", "MemPool", "nvtx", "temperature", "memory_snapshot", "max_memory_cached"]
)
def test_meaningless_name_is_absent(name: str) -> None:
    assert not hasattr(torch.ipex, name)


def test_every_public_name_is_decided_in_the_documentation() -> None:
    documented = set(re.findall(r"`(\w+)`", DECISIONS.read_text()))
    public = {
        name
        for module in (torch.cuda, torch.xpu, torch.mps)
        for name in module.__all__
        if not re.fullmatch(r"\w+(Storage|Tensor)", name)
    }
    assert (public | set(OFFERED)) - documented == set()


def test_documentation_and_module_agree_on_what_is_absent() -> None:
    absent = DECISIONS.read_text().split("## Absent")[1].split("\n## ")[0]
    rows = [line for line in absent.splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert len(names) > 30
    assert {name for name in names if hasattr(torch.ipex, name)} == set()


def test_dir_lists_offered_names() -> None:
    assert set(OFFERED) <= set(dir(torch.ipex))


def test_state_after_activation() -> None:
    assert torch.ipex.is_available()
    assert torch.ipex.is_initialized()
    assert torch.ipex.device_count() == 1
    assert torch.ipex.current_device() == 0
    assert torch.get_device_module("ipex") is torch.ipex


def test_accelerator_is_ipex() -> None:
    assert torch.accelerator.is_available()
    assert torch.accelerator.current_accelerator() == torch.device("ipex")
    assert torch.accelerator.device_count() == 1
    assert torch.accelerator.current_device_index() == 0
    torch.accelerator.set_device_index(0)
    torch.accelerator.synchronize()
    with torch.accelerator.device_index(0):
        assert torch.accelerator.current_device_index() == 0


@pytest.mark.parametrize("device", [0, "ipex", "ipex:0", torch.device("ipex"), torch.device("ipex:0"), -1])
def test_device_context_accepts(device: object) -> None:
    torch.ipex.set_device(device)
    with torch.ipex.device(device):
        assert torch.ones(2, device="ipex").sum().item() == 2


def test_device_context_accepts_none() -> None:
    with torch.ipex.device(None):
        assert torch.ipex.current_device() == 0


def test_device_of_follows_tensor_and_ignores_cpu() -> None:
    assert torch.ipex.device_of(torch.ones(1, device="ipex")).idx == 0
    assert torch.ipex.device_of(torch.ones(1, device="ipex").untyped_storage()).idx == 0
    assert torch.ipex.device_of(torch.ones(1)).idx == -1


DEVICE_FUNCTIONS = [
    "set_device",
    "device",
    "synchronize",
    "current_stream",
    "Stream",
    "get_device_name",
    "get_device_properties",
    "get_device_capability",
    "memory_allocated",
    "memory_stats",
    "memory_summary",
    "mem_get_info",
    "reset_peak_memory_stats",
    "get_rng_state",
]


@pytest.mark.parametrize("function", DEVICE_FUNCTIONS)
@pytest.mark.parametrize(
    ("device", "exception", "code"),
    [
        (5, RuntimeError, "E202"),
        ("ipex:5", RuntimeError, "E202"),
        (torch.device("ipex:1"), RuntimeError, "E202"),
        ("cpu", ValueError, "E103"),
        (torch.device("cuda:0"), ValueError, "E103"),
        (1.5, TypeError, "E101"),
        (True, TypeError, "E101"),
    ],
)
def test_bad_device_is_refused(function: str, device: object, exception: type[Exception], code: str) -> None:
    with pytest.raises(exception, match=code):
        getattr(torch.ipex, function)(device)


def test_set_device_needs_a_device() -> None:
    with pytest.raises(ValueError, match="E103"):
        torch.ipex.set_device(None)


def test_cpu_index_only_where_allowed() -> None:
    assert torch.ipex._utils._get_device_index("cpu", allow_cpu=True) == -1


def test_peer_access_is_false() -> None:
    assert torch.ipex.can_device_access_peer(0, 0) is False
    with pytest.raises(RuntimeError, match="E202"):
        torch.ipex.can_device_access_peer(0, 1)


def test_ipc_collect_returns_nothing() -> None:
    assert torch.ipex.ipc_collect() is None


def test_properties_describe_this_machine() -> None:
    properties = torch.ipex.get_device_properties()
    meminfo = Path("/proc/meminfo").read_text()
    total = re.search(r"MemTotal:\s+(\d+) kB", meminfo)
    assert total is not None
    assert properties.total_memory == int(total.group(1)) * 1024
    assert properties.name == torch.ipex.get_device_name(0)
    assert properties.name in Path("/proc/cpuinfo").read_text()
    assert 1 <= properties.cores <= properties.threads
    assert properties.multi_processor_count == properties.cores
    assert properties.isa in torch.ipex.get_arch_list()
    caches = [size for size in (properties.l1_data_cache, properties.l2_cache, properties.l3_cache) if size is not None]
    assert all(size >= 4096 for size in caches)


def test_capability_agrees_with_instruction_set() -> None:
    capability = torch.ipex.get_device_capability()
    assert capability["isa"] == torch.ipex.get_device_properties().isa
    assert capability["bf16"] is torch.ipex.is_bf16_supported(including_emulation=False)
    assert {torch.float32, torch.bfloat16, torch.int8} <= capability["supported_dtypes"]
    assert capability["amx"] is ("amx" in capability["isa"])


def test_bfloat16_works_on_every_machine() -> None:
    assert torch.ipex.is_bf16_supported()
    result = torch.ones(2, 2, dtype=torch.bfloat16, device="ipex") @ torch.ones(
        2, 2, dtype=torch.bfloat16, device="ipex"
    )
    assert result.tolist() == [[2, 2], [2, 2]]


def test_methods_and_attributes_of_the_backend_name() -> None:
    assert torch.ones(1).ipex().is_ipex
    assert not torch.ones(1).is_ipex
    assert torch.nn.Linear(1, 1).ipex().weight.is_ipex
    assert torch.ones(1).untyped_storage().ipex().is_ipex
    assert torch.ones(1, device="ipex").type() == "torch.ipex.FloatTensor"
    assert torch.device("ipex", 0) == torch.device("ipex:0")
