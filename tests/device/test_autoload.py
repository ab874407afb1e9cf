"""The device loads by itself on first use, and a program that never uses it behaves as if it were not installed."""

from __future__ import annotations

import pytest

from device.programs import run_program

LAZY = "import sys, torch\nassert 'torch_ipex_device' not in sys.modules\n"
LOADED = "\nassert 'torch_ipex_device' in sys.modules and torch.ipex.is_available()\nprint('loaded')"

FIRST_USES = {
    "to": "assert torch.ones(2).to('ipex').is_ipex",
    "method": "assert torch.ones(2).ipex().is_ipex",
    "factory": "assert torch.ones(2, device='ipex').sum().item() == 2",
    "randn": "assert torch.randn(2, device='ipex:0').is_ipex",
    "module": "assert torch.nn.Linear(2, 2).to('ipex').weight.is_ipex",
    "module_method": "assert torch.nn.Linear(2, 2).ipex().weight.is_ipex",
    "tensor": "assert torch.tensor([1, 2], device='ipex').is_ipex",
    "new": "assert torch.ones(1).new_zeros(3, device='ipex').is_ipex",
    "like": "assert torch.zeros_like(torch.ones(3), device='ipex').is_ipex",
    "storage": "assert torch.UntypedStorage(8, device='ipex').device.type == 'ipex'",
    "default_device": "torch.set_default_device('ipex'); assert torch.ones(2).is_ipex",
    "with_device": "exec('with torch.device(\"ipex\"): assert torch.ones(2).is_ipex')",
    "function": "assert torch.ipex.current_device() == 0",
    "memory": "assert torch.ipex.memory_allocated() == 0",
    "init": "torch.ipex.init()",
    "stream": "torch.ipex.Stream()",
    "autocast": "exec('with torch.autocast(\"ipex\", torch.bfloat16): assert torch.ones(2, 2).ipex().mm(torch.ones(2, 2).ipex()).dtype == torch.bfloat16')",
}


@pytest.mark.parametrize("use", FIRST_USES.values(), ids=FIRST_USES)
def test_first_use_loads_the_device(use: str) -> None:
    assert run_program(LAZY + use + LOADED) == "loaded"


@pytest.mark.parametrize("location", ["'ipex'", "'ipex:0'", "torch.device('ipex')", "{'cpu': 'ipex'}"])
def test_loading_a_checkpoint_onto_the_device_loads_it(location: str) -> None:
    program = f"""
buffer = io.BytesIO()
torch.save(torch.arange(3), buffer)
buffer.seek(0)
loaded = torch.load(buffer, map_location={location})
assert loaded.is_ipex and loaded.tolist() == [0, 1, 2]
"""
    assert run_program("import io\n" + LAZY + program + LOADED) == "loaded"


def test_checkpoint_of_the_device_loads_in_a_fresh_process(tmp_path: object) -> None:
    path = f"{tmp_path}/checkpoint.pt"
    run_program(f"import torch; torch.save(torch.arange(3, device='ipex'), {path!r})")
    assert run_program(LAZY + f"assert torch.load({path!r}).is_ipex" + LOADED) == "loaded"
    program = f"assert not torch.load({path!r}, map_location='cpu').is_ipex\nprint('torch_ipex_device' in sys.modules)"
    assert run_program(LAZY + program) == "False"


def test_seed_set_before_first_use_counts() -> None:
    program = """
    import torch
    torch.manual_seed(42)
    expected = torch.rand(4)
    assert not torch.ipex.is_available()
    assert torch.equal(torch.rand(4, device="ipex").cpu(), expected)
    assert torch.ipex.initial_seed() == 42
    print("equal")
    """
    assert run_program(program) == "equal"


def test_explicit_import_loads_at_once() -> None:
    program = """
    import torch_ipex_device
    import torch
    assert torch.ipex.is_available() and torch.ipex.device_count() == 1
    assert torch_ipex_device.DEVICE == "ipex:0"
    print(torch.Generator("ipex").device, torch.Stream("ipex").device, torch.Event("ipex").device)
    """
    assert run_program(program) == "ipex:0 ipex:0 ipex"


def test_questions_do_not_load_the_device() -> None:
    program = """
    import sys, torch
    assert not torch.ipex.is_available() and not torch.ipex.is_initialized()
    assert torch.ipex.device_count() == 0
    assert torch.ipex.get_amp_supported_dtype()
    assert not torch.ones(1).is_ipex
    assert torch.device("ipex").type == "ipex"
    assert "memory_stats" in dir(torch.ipex)
    assert not hasattr(torch.ipex, "nonsense")
    torch.manual_seed(1)
    torch.ipex.synchronize()
    print("torch_ipex_device" in sys.modules)
    """
    assert run_program(program) == "False"


def test_autoload_can_be_disabled() -> None:
    program = "import torch; print(hasattr(torch, 'ipex'))"
    assert run_program(program, TORCH_DEVICE_BACKEND_AUTOLOAD="0") == "False"


UNUSED = """
import io, os, sys, torch
from torch import nn
{body}
assert "torch_ipex_device" not in sys.modules, "the device was loaded"
assert not torch.accelerator.is_available()
assert torch.accelerator.current_accelerator(check_available=True) is None
assert torch.accelerator.device_count() == 0
print("as without it")
"""

CPU_PROGRAMS = {
    "nothing": "",
    "backward_fork_backward": """
x = torch.ones(3, requires_grad=True)
(x * x).sum().backward()
child = os.fork()
if child == 0:
    y = torch.ones(3, requires_grad=True)
    (y * y).sum().backward()
    os._exit(int(y.grad.sum().item() != 6))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""",
    "data_parallel": """
model = nn.DataParallel(nn.Linear(2, 2))
assert model.device_ids == [] and model(torch.ones(4, 2)).device.type == "cpu"
""",
    "fork_rng": """
with torch.random.fork_rng():
    torch.rand(3)
""",
    "checkpoint": """
from torch.utils.checkpoint import checkpoint
for reentrant in (True, False):
    x = torch.ones(3, requires_grad=True)
    checkpoint(nn.Dropout(0.5), x, use_reentrant=reentrant).sum().backward()
""",
    "data_loader": """
from torch.utils.data import DataLoader, TensorDataset
batches = list(DataLoader(TensorDataset(torch.arange(8)), batch_size=4, num_workers=1))
assert sum(batch[0].sum() for batch in batches) == 28
""",
    "optimizer": """
model = nn.Linear(2, 2)
for name in ("SGD", "Adam", "AdamW"):
    model(torch.ones(1, 2)).sum().backward()
    getattr(torch.optim, name)(model.parameters(), lr=0.1).step()
""",
    "save_and_load": """
buffer = io.BytesIO()
torch.save(nn.Linear(2, 2).state_dict(), buffer)
buffer.seek(0)
torch.load(buffer)
""",
    "profiler": """
with torch.profiler.profile(profile_memory=True) as profile:
    torch.ones(3).add(1)
profile.key_averages().table()
""",
    "autocast": """
with torch.autocast("cpu", torch.bfloat16):
    assert torch.ones(2, 2).mm(torch.ones(2, 2)).dtype == torch.bfloat16
""",
    "fake_and_export": """
torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),)).module()(torch.ones(1, 2))
""",
    "compile": """
compiled = torch.compile(lambda x: torch.autograd.grad((x * x).sum(), x)[0], backend="aot_eager")
assert compiled(torch.ones(2, requires_grad=True)).sum().item() == 4
""",
    "share_memory": """
x = torch.ones(3)
assert not x.is_shared() and x.share_memory_().is_shared()
""",
}


@pytest.mark.parametrize("body", CPU_PROGRAMS.values(), ids=CPU_PROGRAMS)
def test_unused_package_is_invisible(body: str) -> None:
    assert run_program(UNUSED.format(body=body)).splitlines()[-1] == "as without it"
