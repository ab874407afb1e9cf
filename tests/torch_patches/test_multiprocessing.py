"""ipex tensors between processes: queues and arguments, spawn and fork, shared memory that is really shared."""

from __future__ import annotations

from multiprocessing.reduction import ForkingPickler

import pytest
import torch
from torch import nn

from device.programs import run_program
from torch_patches.without import run_without

SEND = """
import torch
import torch.multiprocessing as mp

queue = mp.get_context("fork").SimpleQueue()
try:
    queue.put(torch.ones(3, device="ipex"))
    print(queue.get().sum().item())
except RuntimeError as error:
    print(error)
"""
SHARE = """
import torch, torch_ipex_device
x = torch.ones(3, device="ipex")
print(x.is_shared(), x.share_memory_().is_shared())
"""


def test_sending_fails_without_the_patch() -> None:
    assert "only available on CPU" in run_without("multiprocessing", SEND)
    assert run_program(SEND) == "3.0"


def test_sharing_is_claimed_without_the_patch() -> None:
    assert run_without("multiprocessing", SHARE) == "True True"
    assert run_program(SHARE) == "False True"


EXCHANGE = """
import sys
import torch
import torch.multiprocessing as mp
from torch import nn


def child(strategy, argument, inbox, outbox, done):
    mp.set_sharing_strategy(strategy)
    argument.add_(1)
    received = inbox.get()
    received["x"].mul_(10)
    assert received["view"].untyped_storage()._cdata == received["x"].untyped_storage()._cdata
    assert received["parameter"].requires_grad and isinstance(received["parameter"], nn.Parameter)
    assert received["storage"].device.type == received["typed"].device.type == "ipex"
    assert received["empty"].shape == (0, 3) and received["empty"].is_ipex
    assert received["sparse"].is_ipex and received["sparse"].to_dense().sum().item() == 3
    assert received["int"].dtype == torch.int64 and received["cpu"].device.type == "cpu"
    outbox.put({"back": received["x"], "fresh": torch.arange(3.0, device="ipex")})
    done.wait(60)


if __name__ == "__main__":
    method, strategy = "METHOD", "STRATEGY"
    mp.set_sharing_strategy(strategy)
    context = mp.get_context(method)
    inbox, outbox, done = context.Queue(), context.Queue(), context.Event()
    argument = torch.zeros(2, device="ipex")
    if method == "fork":
        argument.share_memory_()
    process = context.Process(target=child, args=(strategy, argument, inbox, outbox, done))
    process.start()
    x = torch.ones(2, 3, device="ipex")
    inbox.put({
        "x": x,
        "view": x[1:, ::2].t(),
        "parameter": nn.Parameter(torch.ones(2, device="ipex")),
        "storage": torch.ones(4, device="ipex").untyped_storage(),
        "typed": torch.storage.TypedStorage(4, dtype=torch.float, device="ipex"),
        "empty": torch.empty(0, 3, device="ipex"),
        "sparse": torch.eye(3, device="ipex").to_sparse(),
        "int": torch.arange(3, device="ipex"),
        "cpu": torch.ones(2),
    })
    answer = outbox.get(timeout=60)
    done.set()
    process.join(60)
    assert process.exitcode == 0, process.exitcode
    assert argument.tolist() == [1, 1], "the argument was copied"
    assert x.tolist() == [[10, 10, 10], [10, 10, 10]], "the tensor was copied"
    assert answer["back"].untyped_storage()._cdata == x.untyped_storage()._cdata, "another storage came back"
    assert answer["fresh"].tolist() == [0, 1, 2]
    print("exchanged")
"""


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.parametrize("strategy", ["file_descriptor", "file_system"])
def test_tensors_parameters_and_storages_travel(method: str, strategy: str) -> None:
    assert run_program(EXCHANGE.replace("METHOD", method).replace("STRATEGY", strategy)) == "exchanged"


def test_sharing_moves_views_and_keeps_the_storage() -> None:
    x = torch.arange(6.0, device="ipex")
    view, identity = x[2:], x.untyped_storage()._cdata
    assert not view.is_shared()
    assert x.share_memory_() is x
    assert view.is_shared()
    assert x.untyped_storage().is_shared()
    view.zero_()
    assert x.tolist() == [0, 1, 0, 0, 0, 0]
    assert x.untyped_storage()._cdata == identity
    pointer = x.data_ptr()
    x.share_memory_()
    assert x.data_ptr() == pointer


def test_shared_memory_cannot_be_resized() -> None:
    x = torch.ones(3, device="ipex").share_memory_()
    with pytest.raises(RuntimeError, match="resiz"):
        x.untyped_storage().resize_(4096)
    assert x.tolist() == [1, 1, 1]


def test_module_shares_its_parameters() -> None:
    model = nn.Linear(2, 2).to("ipex").share_memory()
    assert all(parameter.is_shared() and parameter.is_leaf for parameter in model.parameters())
    model(torch.ones(1, 2, device="ipex")).sum().backward()
    assert model.weight.grad is not None


def test_alias_of_other_memory_is_refused() -> None:
    x = torch.ipex.from_cpu(torch.ones(3))
    with pytest.raises(RuntimeError, match="E204"):
        x.share_memory_()
    assert x.clone().share_memory_().is_shared()


def test_cpu_tensors_are_untouched() -> None:
    x = torch.ones(3)
    assert not x.is_shared()
    assert x.share_memory_().is_shared()


def test_tensor_that_needs_history_is_refused() -> None:
    x = torch.ones(2, device="ipex", requires_grad=True)
    with pytest.raises(RuntimeError, match="non-leaf"):
        ForkingPickler.dumps(x * 2)


HOGWILD = """
import torch
import torch.multiprocessing as mp
from torch import nn


def train(model, x, y):
    torch.set_num_threads(1)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


if __name__ == "__main__":
    torch.manual_seed(0)
    model = nn.Linear(4, 1).to("ipex").share_memory()
    x = torch.randn(64, 4, device="ipex")
    y = x.sum(1, keepdim=True)
    processes = [mp.get_context("spawn").Process(target=train, args=(model, x, y)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    assert [process.exitcode for process in processes] == [0, 0]
    print(nn.functional.mse_loss(model(x), y).item() < 1e-3)
"""


def test_hogwild_trains_the_parents_weights() -> None:
    assert run_program(HOGWILD) == "True"


LOADER = """
import torch
from torch.utils.data import DataLoader, Dataset


class OnDevice(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.full((3,), float(index), device="ipex")


if __name__ == "__main__":
    for context in ("fork", "spawn"):
        loader = DataLoader(OnDevice(), batch_size=4, num_workers=2, multiprocessing_context=context)
        batches = list(loader)
        assert all(batch.is_ipex for batch in batches)
        print(sum(batch.sum().item() for batch in batches))
"""


def test_data_loader_workers_may_return_ipex_tensors() -> None:
    assert run_program(LOADER).split() == ["84.0", "84.0"]
