"""Whatever writes a weight between calls, the next call sees it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from .cases import OPS, convolution, lstm_arguments, numbers, stock_convolution
from .weights import COLUMNS, ONES, ROWS, assert_used_as_it_is, use

Write = Callable[[nn.Parameter], object]
OTHER = numbers(ROWS, COLUMNS, seed=9)


def loaded(weight: nn.Parameter, assign: bool) -> None:
    layer = nn.Linear(COLUMNS, ROWS, bias=False)
    layer.weight = weight
    layer.load_state_dict({"weight": OTHER.clone()}, assign=assign)
    assert_used_as_it_is(layer.weight)


def written_by_optimizer(name: str, **options: object) -> Write:
    def write(weight: nn.Parameter) -> None:
        optimizer = getattr(torch.optim, name)([weight], lr=0.5, **options)
        for _ in range(2):
            weight.square().sum().backward()
            optimizer.step()
            assert_used_as_it_is(weight)

    return write


def written_through_a_closure(weight: nn.Parameter) -> None:
    optimizer = torch.optim.LBFGS([weight], lr=0.5)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)


OPTIMIZERS = {
    **{f"optim.{n}": written_by_optimizer(n) for n in ("Adagrad", "Adam", "Adamax", "NAdam", "RMSprop", "SGD")},
    **{f"optim.AdamW {n}": written_by_optimizer("AdamW", **{n: True}) for n in ("foreach", "fused")},
    "optim.SGD fused": written_by_optimizer("SGD", fused=True, momentum=0.9),
    "optim.LBFGS": written_through_a_closure,
}
WRITES: dict[str, Write] = {
    "fill_": lambda w: w.data.fill_(2),
    "mul_ of detach()": lambda w: w.detach().mul_(2),
    "mul_ without gradients": torch.no_grad()(lambda w: w.mul_(2)),
    "add_ in place": torch.no_grad()(lambda w: w.add_(OTHER)),
    "data is replaced": lambda w: setattr(w, "data", OTHER.clone()),
    "copy_": torch.no_grad()(lambda w: w.copy_(OTHER)),
    "set item": lambda w: w.data.__setitem__((3, 5), 100),
    "set mask": lambda w: w.data.__setitem__(w.data > 0, -1),
    "row": lambda w: w.data[3].fill_(9),
    "view": lambda w: w.data.view(-1)[::2].neg_(),
    "transposed view": lambda w: w.data.t()[:5].zero_(),
    "as_strided": lambda w: w.data.as_strided((7,), (3,), 2).fill_(50),
    "out=": lambda w: torch.add(w.data, 1, out=w.data),
    "out= of a part": lambda w: torch.sum(OTHER, 0, out=w.data[0]),
    "foreach": lambda w: torch._foreach_mul_([w.data], 3),
    "masked_fill_": lambda w: w.data.masked_fill_(w.data > 0, 0),
    "scatter_": lambda w: w.data.scatter_(0, torch.zeros(1, COLUMNS, dtype=torch.int64), 9.0),
    "index_add_": lambda w: w.data.index_add_(0, torch.tensor([1, 1]), OTHER[:2]),
    "map_": lambda w: w.data.map_(OTHER, lambda a, b: a - b),
    "apply_": lambda w: w.data.apply_(lambda value: -value),
    "init": lambda w: nn.init.xavier_normal_(w),
    "dropout_": lambda w: torch.nn.functional.dropout(w.data, 0.5, inplace=True),
    "clip_grad and step": lambda w: w.data.add_(torch.full_like(w.data, 0.1), alpha=-3),
    "vector_to_parameters": lambda w: nn.utils.vector_to_parameters(OTHER.flatten(), [w]),
    "set_": torch.no_grad()(lambda w: w.set_(OTHER.clone())),
    "resize_": lambda w: w.data.resize_(ROWS * 2, COLUMNS).fill_(3),
    "resize_ to less": lambda w: w.data.resize_(ROWS // 2, COLUMNS),
    "storage fill_": lambda w: w.data.untyped_storage().fill_(1),
    "storage set item": lambda w: w.data.untyped_storage().__setitem__(3, 65),
    "storage copy_": lambda w: w.data.untyped_storage().copy_(OTHER.untyped_storage()),
    "storage resize_": lambda w: w.data.untyped_storage().resize_(ROWS * COLUMNS * 8),
    "share_memory_": lambda w: w.share_memory_().data.fill_(4),
    "swap_tensors": lambda w: torch.utils.swap_tensors(w, nn.Parameter(OTHER.clone())),
    "load_state_dict": lambda w: loaded(w, assign=False),
    "load_state_dict assign": lambda w: loaded(w, assign=True),
    "numpy made and written at once": lambda w: w.detach().numpy().__setitem__(slice(3, 5), 7),
    "from_dlpack made and written at once": lambda w: torch.from_dlpack(w.detach()).fill_(7),
    "copy from ipex": lambda w: w.data.copy_(OTHER.to("ipex")),
    "to_device made and written at once": lambda w: OPS.to_device(w.detach()).fill_(7),
    **OPTIMIZERS,
}


@pytest.mark.parametrize("name", WRITES)
def test_writes_are_seen(name):
    weight = nn.Parameter(numbers(ROWS, COLUMNS))
    for _ in range(2):  # what a write leaves behind must not blind the next
        use(weight)
        WRITES[name](weight)
        assert_used_as_it_is(weight)


@pytest.mark.parametrize("name", ["fill_", "row", "optim.SGD", "set_", "storage copy_"])
def test_writes_in_inference_mode_and_between_dtypes(name):
    weight = nn.Parameter(numbers(ROWS, COLUMNS))
    low = torch.ones(2, COLUMNS, dtype=torch.bfloat16)
    for _ in range(2):
        with torch.inference_mode():
            for _ in range(3):
                OPS.linear(low, weight)
                OPS.linear(ONES, weight)
        WRITES[name](weight)
        assert_used_as_it_is(weight)
        with torch.inference_mode():
            for _ in range(3):
                expected = low.float() @ weight.bfloat16().float().t()
                torch.testing.assert_close(OPS.linear(low, weight).float(), expected, rtol=1e-2, atol=1e-2)


def test_tensors_made_in_inference_mode():
    with torch.inference_mode():
        weight = numbers(ROWS, COLUMNS)
        use(weight)
        weight[3] = 100
        assert_used_as_it_is(weight)


def test_writes_to_weights_of_convolutions():
    x, w = numbers(2, 8, 6, 6), numbers(32, 8, 3, 3, seed=1)
    for write in (lambda: w.mul_(2), lambda: w[3].zero_(), lambda: w.view(-1)[5:9].fill_(1)):
        with torch.no_grad():
            for _ in range(3):
                torch.testing.assert_close(convolution(x, w), stock_convolution(x, w), rtol=1e-4, atol=1e-4)
        write()
    with torch.no_grad():
        torch.testing.assert_close(convolution(x, w), stock_convolution(x, w), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("index", range(4))
def test_writes_to_weights_of_an_lstm(index):
    x, states, params, *rest = lstm_arguments(inputs=64, hidden=64)
    with torch.no_grad():
        for _ in range(3):
            OPS.lstm(x, states, params, *rest)
        params[index].mul_(-2)
        for _ in range(3):
            expected = torch._VF.lstm(x, states, params, *rest)
            for a, e in zip(OPS.lstm(x, states, params, *rest), expected, strict=True):
                torch.testing.assert_close(a, e, rtol=1e-4, atol=1e-5)


def test_memory_of_numpy():
    """It gets no copy, since nobody tells when it is written."""
    array = numbers(ROWS, COLUMNS).numpy().copy()
    weight = torch.from_numpy(array)
    for value in (3, 4):
        use(weight)
        array[:] = value
        assert_used_as_it_is(weight)


def test_memory_of_a_buffer_and_of_a_file(tmp_path):
    buffer = bytearray(numbers(ROWS, COLUMNS).numpy().tobytes())
    weight = torch.frombuffer(buffer, dtype=torch.float32).view(ROWS, COLUMNS)
    use(weight)
    buffer[:] = np.full((ROWS, COLUMNS), 3, np.float32).tobytes()
    assert_used_as_it_is(weight)
    np.zeros((ROWS, COLUMNS), np.float32).tofile(tmp_path / "weight")
    mapped = torch.from_file(str(tmp_path / "weight"), shared=True, size=ROWS * COLUMNS).view(ROWS, COLUMNS)
    use(mapped)
    np.ones((ROWS, COLUMNS), np.float32).tofile(tmp_path / "weight")
    assert_used_as_it_is(mapped)


def test_weights_that_are_loaded_with_mmap(tmp_path):
    torch.save(numbers(ROWS, COLUMNS), tmp_path / "weight.pt")
    weight = torch.load(tmp_path / "weight.pt", mmap=True)
    use(weight)
    weight[2] = 5
    assert_used_as_it_is(weight)


def test_copies_and_lazy_copies_are_weights_of_their_own():
    weight = numbers(ROWS, COLUMNS)
    lazy = torch._lazy_clone(weight)
    use(weight), use(lazy)
    lazy.fill_(3)
    assert_used_as_it_is(lazy)
    assert_used_as_it_is(weight)
    weight[0] = 9
    assert_used_as_it_is(weight)
    assert_used_as_it_is(lazy)


def test_tied_weights_and_views():
    table = numbers(ROWS, COLUMNS)
    tied, part = nn.Parameter(table), table[: ROWS - 4]
    assert tied.data_ptr() == table.data_ptr()
    for write in (lambda: table.mul_(2), lambda: tied.data[1].fill_(4), lambda: part[2].zero_()):
        for weight in (table, tied, part, table[2:]):
            assert_used_as_it_is(weight)
        write()
    for weight in (table, tied, part, table[2:]):
        assert_used_as_it_is(weight)


def test_a_weight_that_is_loaded_from_a_file():
    layer = nn.Linear(COLUMNS, ROWS, bias=False)
    use(layer.weight)
    file = io.BytesIO()
    torch.save(nn.Linear(COLUMNS, ROWS, bias=False).state_dict(), file)
    file.seek(0)
    layer.load_state_dict(torch.load(file))
    assert_used_as_it_is(layer.weight)


@pytest.mark.parametrize("alias", [torch.ipex.from_cpu, OPS.to_device])
def test_aliases_on_ipex_that_are_written_later(alias):
    weight = numbers(ROWS, COLUMNS)
    there = alias(weight)
    use(weight)
    there.fill_(3)
    assert_used_as_it_is(weight)


@pytest.mark.parametrize("alias", [torch.Tensor.numpy, torch.from_dlpack, np.from_dlpack])
def test_limit_views_of_other_libraries_that_are_written_later(alias):
    """A documented limit: PyTorch cannot tell. An operator of PyTorch that writes the weight, if only by nothing, helps."""
    weight = numbers(ROWS, COLUMNS)
    view = alias(weight)
    use(weight)
    view[:] = 3
    weight.mul_(1)
    assert_used_as_it_is(weight)
