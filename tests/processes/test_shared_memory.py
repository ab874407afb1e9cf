"""share_memory_: kernels see what another process writes, and whoever sees the old memory is not left behind."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler

import pytest
import torch
import torch.multiprocessing as mp
from torch import Tensor, nn

import torch_ipex_device as ipex
from device.programs import run_program
from torch_ipex_device import _C


def other_process(tensor: Tensor) -> Tensor:
    """A CPU tensor over the same shared memory, whose writes the device does not notice: another process in small."""
    owner = _C.owner_of_memory(tensor)
    assert owner is not None and owner.is_shared()
    storage = owner.untyped_storage()
    return torch.empty(0, dtype=tensor.dtype).set_(storage, tensor.storage_offset(), tensor.shape, tensor.stride())


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(256, 256), (4, 256)),
    "convolution": (lambda: nn.Conv2d(32, 64, 3), (2, 32, 8, 8)),
    "transposed convolution": (lambda: nn.ConvTranspose2d(16, 32, 3), (2, 16, 8, 8)),
    "lstm": (lambda: nn.LSTM(64, 64), (3, 2, 64)),
    "batch norm": (lambda: nn.Sequential(nn.Conv2d(16, 32, 1), nn.BatchNorm2d(32), nn.ReLU()), (2, 16, 8, 8)),
    "two layers": (lambda: nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1000)), (4, 64)),
}


def forward(model: nn.Module, x: Tensor) -> Tensor:
    y = model(x)
    return y[0] if isinstance(y, tuple) else y


@torch.no_grad()
@pytest.mark.parametrize("shared_first", [True, False], ids=["shared first", "packed first"])
@pytest.mark.parametrize("precision", ["float32", "autocast", "amp"])
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.filterwarnings("ignore:automatic mixed precision:UserWarning")
def test_next_forward_sees_what_another_process_wrote(kind: str, precision: str, shared_first: bool) -> None:
    torch.manual_seed(0)
    make, shape = MODELS[kind]
    model, x = make().to("ipex").eval(), torch.randn(shape).to("ipex")

    def run(model: nn.Module) -> Tensor:
        with torch.autocast("ipex", enabled=precision == "autocast"):
            if precision != "amp":
                return forward(model, x).float().cpu()
            with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
                return forward(model, x).cpu()

    for share in (shared_first, not shared_first):
        if share:
            model.share_memory()
        for _ in range(3):  # so that packed copies exist where they may
            before = run(model)
    for parameter in model.parameters():
        other_process(parameter).mul_(-1.5)
    expected = make().to("ipex").eval()
    expected.load_state_dict({name: value.clone() for name, value in model.state_dict().items()})
    torch.testing.assert_close(run(model), run(expected))
    assert not torch.allclose(run(model), before, atol=1e-2)
    assert all(parameter.is_shared() for parameter in model.parameters())


@torch.no_grad()
def test_int8_kernels_see_what_another_process_wrote(tmp_path) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)).to("ipex"), torch.randn(8, 64).to("ipex")
    recipe = ipex.AmpConf(torch.int8)
    with ipex.AutoMixPrecision(recipe, running_mode="calibration"):
        model(x)
    recipe.save(str(tmp_path / "recipe.json"))
    recipe = ipex.AmpConf(torch.int8, str(tmp_path / "recipe.json"))

    def run() -> Tensor:
        with ipex.AutoMixPrecision(recipe, running_mode="inference"):
            return model(x).cpu()

    run()
    model.share_memory()
    for _ in range(3):
        before = run()
    other_process(model[0].weight).zero_()
    other_process(model[0].bias).zero_()
    after = run()
    torch.testing.assert_close(after, model[2].bias.cpu().expand(8, 64))
    assert not torch.allclose(before, after, atol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("size", [32, 512], ids=["small", "large"])
def test_result_is_that_of_the_time_of_the_call(size: int) -> None:
    """Eager fusion may not leave an operator open that reads memory which others write."""
    weight, x = (
        torch.ones(size, size, device="ipex").share_memory_(),
        torch.ones(size, size, device="ipex").share_memory_(),
    )
    y = torch.relu(nn.functional.linear(x, weight) + x)
    other_process(weight).zero_()
    other_process(x).zero_()
    assert torch.equal(y.cpu(), torch.full((size, size), size + 1.0))


CPU_ALIASES: dict[str, Callable[[Tensor], object]] = {
    "as_cpu": torch.ipex.as_cpu,
    "numpy": lambda x: torch.ipex.as_cpu(x).numpy(),
    "dlpack": lambda x: torch.utils.dlpack.from_dlpack(x.__dlpack__(dl_device=(1, 0))),
}
MEMORY: dict[str, Callable[[], Tensor]] = {
    "large": lambda: torch.zeros(5000, device="ipex"),
    "small": lambda: torch.zeros(5, device="ipex"),
    "small, made by a fallback": lambda: torch.linalg.inv(torch.eye(2, device="ipex")),
    "large, made by a fallback": lambda: torch.linalg.inv(torch.eye(60, device="ipex")),
}


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("alias", CPU_ALIASES)
def test_memory_that_a_cpu_alias_sees_stays(alias: str, memory: str) -> None:
    x = MEMORY[memory]()
    seen = CPU_ALIASES[alias](x)
    with pytest.raises(RuntimeError, match=r"share_memory_\] E204 .*clone"):
        x.share_memory_()
    x.fill_(7)
    assert torch.as_tensor(seen).flatten()[0] == 7
    assert x.clone().share_memory_().is_shared()
    del seen
    assert x.share_memory_().is_shared()


def test_cpu_alias_of_shared_memory_is_an_alias() -> None:
    x = torch.zeros(3, device="ipex").share_memory_()
    torch.ipex.as_cpu(x)[0] = 5
    assert x.tolist() == [5, 0, 0] and other_process(x).tolist() == [5, 0, 0]


@pytest.mark.parametrize("strategies", [("file_system", "file_descriptor"), ("file_descriptor", "file_system")])
def test_memory_stays_where_it_is_when_the_strategy_changes(strategies: tuple[str, str]) -> None:
    before = mp.get_sharing_strategy()
    try:
        mp.set_sharing_strategy(strategies[0])
        x = torch.arange(3.0, device="ipex").share_memory_()
        address = x.data_ptr()
        mp.set_sharing_strategy(strategies[1])
        received = pickle.loads(ForkingPickler.dumps(x.share_memory_()))
        assert received.untyped_storage()._cdata == x.untyped_storage()._cdata
        assert x.data_ptr() == address and x.tolist() == other_process(x).tolist() == [0, 1, 2]
    finally:
        mp.set_sharing_strategy(before)


@pytest.mark.parametrize("device", ["cpu", "ipex"])
def test_storage_without_bytes(device: str) -> None:
    assert torch.empty(0, 3, device=device).share_memory_().shape == (0, 3)


HOGWILD = """
import torch
import torch.multiprocessing as mp
from torch import nn


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 4))


def train(model, x, y, meeting):
    torch.set_num_threads(1)
    optimizer = torch.optim.SGD(model.parameters(), 0.02)
    with torch.no_grad():
        model(x)  # a packed copy, were the weights not shared
    for _ in range(2):
        for _ in range(20):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        meeting.wait()  # nobody writes
        meeting.wait()  # the parent has looked


if __name__ == "__main__":
    model = make().to("ipex").eval()
    x, y = torch.randn(16, 3, 8, 8).to("ipex"), torch.arange(16).remainder(4).to("ipex")
    losses = []

    @torch.no_grad()
    def look():
        stock = make().eval()
        for _ in range(3):
            result = model(x)
        stock.load_state_dict(model.state_dict())
        torch.testing.assert_close(result.cpu(), stock(x.cpu()))
        losses.append(nn.functional.cross_entropy(result, y).item())

    look()
    model.share_memory()
    context = mp.get_context("spawn")
    meeting = context.Barrier(3)
    processes = [context.Process(target=train, args=(model, x, y, meeting)) for _ in range(2)]
    for process in processes:
        process.start()
    for _ in range(2):
        meeting.wait()
        look()
        meeting.wait()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    print(losses[0] > 1.1 * losses[1] > 1.2 * losses[2])
"""


def test_parent_follows_two_processes_that_train_its_model() -> None:
    assert run_program(HOGWILD, OMP_NUM_THREADS="1") == "True"
