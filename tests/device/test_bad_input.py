"""Bad input gives a clear error; the process lives, operands and allocator stay as they were."""

from __future__ import annotations

import gc
import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn


@pytest.fixture(autouse=True)
def _device_is_sound_afterwards() -> Iterator[None]:
    gc.collect()
    before = torch.ipex.memory_allocated()
    yield
    gc.collect()  # a caught exception and its frames are a cycle
    assert torch.ipex.memory_allocated() == before
    assert torch.softmax(torch.ones(2, 2, device="ipex"), 1).tolist() == [[0.5, 0.5], [0.5, 0.5]]


MIXED: dict[str, Callable[[torch.Tensor, torch.Tensor], Any]] = {
    "add": lambda x, c: x + c,
    "radd": lambda x, c: c + x,
    "add_": lambda x, c: x.add_(c),
    "matmul": lambda x, c: x @ c,
    "linear": lambda x, c: nn.functional.linear(x, c),
    "out": lambda x, c: torch.add(x, x, out=c),
    "cat": lambda x, c: torch.cat([x, c]),
    "stack": lambda x, c: torch.stack([c, x]),
    "where": lambda x, c: torch.where(x > 0, x, c),
    "conv2d": lambda x, c: nn.functional.conv2d(x.view(1, 1, 3, 3), c.view(1, 1, 3, 3)),
    "layer_norm": lambda x, c: nn.functional.layer_norm(x, (3,), c[0]),
    "mse_loss": lambda x, c: nn.functional.mse_loss(x, c),
    "index_select": lambda x, c: x.index_select(0, torch.tensor([0])),
    "gather": lambda x, c: x.gather(0, c.long()),
    "embedding": lambda x, c: nn.functional.embedding(torch.tensor([0]), x),
    "module_input": lambda x, c: nn.Linear(3, 3).to("ipex")(c),
}


@pytest.mark.parametrize("use", MIXED.values(), ids=MIXED)
def test_operands_on_two_devices(use: Callable[[torch.Tensor, torch.Tensor], Any]) -> None:
    x, c = torch.ones(3, 3, device="ipex"), torch.full((3, 3), 2.0)
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device") as caught:
        use(x, c)
    assert "E102" in str(caught.value)
    assert x.cpu().tolist() == [[1.0] * 3] * 3
    assert c.tolist() == [[2.0] * 3] * 3
    assert x._version == 0


ALLOWED: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], list[float]]] = {
    "scalar_tensor": (lambda x: x + torch.tensor(2.0), [3, 4, 5]),
    "scalar_tensor_first": (lambda x: torch.tensor(2.0) * x, [2, 4, 6]),
    "number": (lambda x: x * 3, [3, 6, 9]),
    "index_tensor": (lambda x: x[torch.tensor([1, 0])], [2, 1]),
    "index_mask": (lambda x: x[torch.tensor([True, False, True])], [1, 3]),
    "copy_": (lambda x: x.copy_(torch.ones(3)), [1, 1, 1]),
    "to": (lambda x: x + torch.ones(3).to(x), [2, 3, 4]),
    "index_put_": (lambda x: x.index_put_((torch.tensor([1]),), torch.tensor(9.0, device="ipex")), [1, 9, 3]),
}


@pytest.mark.parametrize(("use", "expected"), ALLOWED.values(), ids=ALLOWED)
def test_what_cuda_allows_to_mix_works(use: Callable[[torch.Tensor], torch.Tensor], expected: list[float]) -> None:
    result = use(torch.tensor([1.0, 2.0, 3.0], device="ipex"))
    assert result.is_ipex
    assert result.tolist() == expected


DTYPES: dict[str, Callable[[], Any]] = {
    "matmul": lambda: torch.ones(2, 2, device="ipex") @ torch.ones(2, 2, device="ipex").double(),
    "softmax_of_integers": lambda: torch.softmax(torch.ones(2, device="ipex").long(), 0),
    "gelu_of_integers": lambda: nn.functional.gelu(torch.ones(2, device="ipex").long()),
    "layer_norm": lambda: nn.functional.layer_norm(torch.ones(2, device="ipex").long(), (2,)),
    "inverse_of_integers": lambda: torch.linalg.inv(torch.eye(2, device="ipex").long()),
    "embedding": lambda: nn.functional.embedding(torch.ones(2, device="ipex"), torch.ones(2, 2, device="ipex")),
    "bitwise": lambda: torch.ones(2, device="ipex") & 1,
    "in_place_promotion": lambda: torch.ones(2, device="ipex").long().add_(1.5),
}


@pytest.mark.parametrize("use", DTYPES.values(), ids=DTYPES)
def test_wrong_dtype(use: Callable[[], Any]) -> None:
    with pytest.raises((RuntimeError, TypeError, NotImplementedError), match=r"(?i)dtype|type|implemented|expected"):
        use()


SHAPES: dict[str, Callable[[], Any]] = {
    "matmul": lambda: torch.ones(2, 3, device="ipex") @ torch.ones(2, 3, device="ipex"),
    "broadcast": lambda: torch.ones(2, 3, device="ipex") + torch.ones(4, device="ipex"),
    "view": lambda: torch.ones(6, device="ipex").view(4, 2),
    "softmax_dim": lambda: torch.softmax(torch.ones(2, device="ipex"), 3),
    "index": lambda: torch.ones(2, device="ipex")[5],
    "embedding": lambda: nn.functional.embedding(torch.tensor([9], device="ipex"), torch.ones(2, 2, device="ipex")),
    "lstm": lambda: nn.LSTM(3, 2).to("ipex")(torch.ones(1, 1, 4, device="ipex")),
    "attention": lambda: nn.functional.scaled_dot_product_attention(
        *[torch.ones(1, 2, n, device="ipex") for n in (3, 4, 5)]
    ),
    "layer_norm": lambda: nn.functional.layer_norm(torch.ones(2, 3, device="ipex"), (4,)),
    "as_strided": lambda: torch.ones(4, device="ipex").as_strided((100,), (1,)).sum(),
    "negative_size": lambda: torch.empty(-1, device="ipex"),
}


@pytest.mark.parametrize("use", SHAPES.values(), ids=SHAPES)
def test_wrong_shape_or_index(use: Callable[[], Any]) -> None:
    with pytest.raises((RuntimeError, IndexError, ValueError), match=r"\w+ \w+"):
        use()


HUGE: dict[str, Callable[[], Any]] = {
    "empty": lambda: torch.empty(1 << 60, dtype=torch.uint8, device="ipex"),
    "empty_strided": lambda: torch.empty_strided((1 << 58,), (1,), device="ipex"),
    "zeros": lambda: torch.zeros(1 << 58, device="ipex"),
    "storage": lambda: torch.UntypedStorage(1 << 60, device="ipex"),
    "resize_": lambda: torch.ones(2, device="ipex").resize_(1 << 58),
    "repeat": lambda: torch.ones(1 << 10, device="ipex").repeat(1 << 48),
    "kernel_result": lambda: torch.ones(1, device="ipex").expand(1 << 58) + 1,
}


@pytest.mark.parametrize("use", HUGE.values(), ids=HUGE)
def test_allocation_of_2_to_the_60_bytes(use: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError, match=r"(?i)(allocate|memory|storage size|invalid)"):
        use()


@pytest.mark.parametrize("name", ["empty", "empty_strided", "storage"])
def test_out_of_memory_is_its_own_exception(name: str) -> None:
    with pytest.raises(torch.OutOfMemoryError, match=r"E201.*1152921504606846976 bytes"):
        HUGE[name]()


def test_failed_resize_leaves_the_tensor() -> None:
    x = torch.ones(2, device="ipex")
    with pytest.raises(RuntimeError):
        x.resize_(1 << 58)
    assert torch.equal(x.flatten()[:2].cpu(), torch.ones(2))


INDICES: dict[str, Callable[[], Any]] = {
    "to": lambda: torch.ones(1).to("ipex:5"),
    "factory": lambda: torch.ones(1, device="ipex:5"),
    "method": lambda: torch.ones(1).ipex(5),
    "module": lambda: nn.Linear(1, 1).to("ipex:5"),
    "storage": lambda: torch.UntypedStorage(4, device="ipex:5"),
    "generator": lambda: torch.Generator("ipex:5"),
    "stream": lambda: torch.Stream("ipex:5"),
    "set_device": lambda: torch.ipex.set_device(5),
    "accelerator": lambda: torch.accelerator.set_device_index(5),
    "accelerator_memory": lambda: torch.accelerator.memory_allocated(5),
    "load": lambda: load(saved(torch.ones(1)), map_location="ipex:5"),
    "like": lambda: torch.empty_like(torch.ones(1), device="ipex:5"),
}


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def load(data: bytes, **options: Any) -> Any:
    return torch.load(io.BytesIO(data), **options)


@pytest.mark.parametrize("use", INDICES.values(), ids=INDICES)
def test_bad_device_index(use: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError, match="E202"):
        use()
    assert torch.ipex.current_device() == 0


@pytest.mark.parametrize("location", ["ipex:x", "ipexx", "cuda", "nowhere", "ipex:-7"])
def test_wrong_map_location(location: str) -> None:
    with pytest.raises(RuntimeError, match=r"(?i)device|location"):
        load(saved(torch.ones(1, device="ipex")), map_location=location)


def test_truncated_checkpoint() -> None:
    data = saved({"w": torch.randn(1000, device="ipex")})
    with pytest.raises(RuntimeError, match=r"(?i)zip|archive|invalid"):
        load(data[: len(data) // 2])


def test_checkpoint_with_too_little_data() -> None:
    data = saved(torch.arange(1000.0, device="ipex"))
    shortened = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(shortened, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content[:16] if name.endswith("data/0") else content)
    for options in ({}, {"map_location": "ipex"}, {"map_location": "cpu"}):
        with pytest.raises((RuntimeError, ValueError), match=r"\w+ \w+"):
            load(shortened.getvalue(), **options)


def test_checkpoint_with_overwritten_pickle() -> None:
    data = saved(torch.arange(10.0, device="ipex"))
    broken = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"\x80\x02garbage." if name.endswith("data.pkl") else source.read(name))
    with pytest.raises(Exception, match=r"(?i)unpickl|load|unsupported|garbage"):
        load(broken.getvalue())


def test_state_dict_of_another_shape_changes_nothing() -> None:
    model = nn.Linear(2, 2).to("ipex")
    before = model.weight.detach().clone()
    with pytest.raises(RuntimeError, match="size mismatch"):
        model.load_state_dict({"weight": torch.zeros(3, 3), "bias": torch.zeros(2)})
    assert torch.equal(model.weight, before)


def test_pinning_an_ipex_tensor() -> None:
    with pytest.raises(RuntimeError, match="E203"):
        torch.empty(2, device="ipex", pin_memory=True)
    with pytest.raises(RuntimeError, match=r"(?i)pin"):
        torch.ones(2, device="ipex").pin_memory()


def test_layout_that_the_device_cannot_hold() -> None:
    with pytest.raises(NotImplementedError, match=r"to_mkldnn\] E104"):
        torch.ones(2, device="ipex").to_mkldnn()


def test_cuda_is_still_refused_by_pytorch() -> None:
    with pytest.raises((AssertionError, RuntimeError), match="CUDA"):
        torch.ones(2, device="ipex").cuda()


def test_writing_to_an_expanded_tensor() -> None:
    x = torch.ones(1, device="ipex").expand(3)
    with pytest.raises(RuntimeError, match="single memory location"):
        x.add_(1)
    assert x.tolist() == [1, 1, 1]
