"""Whatever form a storage is in, a program sees a plain tensor: values, metadata, aliasing, version, autograd, pickling."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import torch

from torch_ipex_device import _C

from .made import SHAPE, is_plain, physical, physical_strides, plain


def test_metadata_is_that_of_a_plain_tensor():
    x, expected = physical(), plain()
    assert x.shape == expected.shape and x.stride() == expected.stride() and x.dtype == expected.dtype
    assert x.is_contiguous() and x.storage_offset() == 0 and x._version == 0
    assert x.untyped_storage().nbytes() == expected.untyped_storage().nbytes()
    assert not is_plain(x)  # none of that needed the plain bytes


READERS = {
    "cpu": lambda x: x.cpu(),
    "to": lambda x: x.to("cpu", torch.float64).float(),
    "clone": lambda x: x.clone().cpu(),
    "contiguous": lambda x: x.contiguous().cpu(),
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last).cpu(),
    "tolist": lambda x: torch.tensor(x.tolist()),
    "numpy of cpu": lambda x: torch.from_numpy(x.cpu().numpy()),
    "as_cpu": lambda x: torch.ipex.as_cpu(x).clone(),
    "dlpack": lambda x: torch.from_numpy(np.from_dlpack(x, device="cpu", copy=False).copy()),
    "item": lambda x: torch.tensor([value.item() for value in x.flatten()]).view(x.shape),
    "storage": lambda x: torch.tensor(list(x.storage()), dtype=x.dtype).view(x.shape),
    "view": lambda x: x.view(-1).cpu().view(x.shape),
    "fallback": lambda x: torch.cumsum(x, 0).cpu() - torch.cat([torch.zeros(1, *x.shape[1:]), x.cpu()[:-1].cumsum(0)]),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)).cpu(),
    "deepcopy": lambda x: copy.deepcopy(x).cpu(),
    "equal": lambda x: x.cpu() if torch.equal(x, plain().to("ipex")) else torch.empty(0),
    "lazy clone": lambda x: torch._lazy_clone(x).cpu(),
    "share memory": lambda x: x.share_memory_().cpu(),
}


def test_untyped_storage_has_the_plain_bytes():
    x = physical()
    raw = bytes(x.untyped_storage().cpu())
    assert torch.equal(torch.frombuffer(bytearray(raw), dtype=torch.float32).view(SHAPE), plain())


@pytest.mark.parametrize("reader", READERS)
def test_every_way_of_reading_gives_the_values(reader):
    x = physical()
    assert torch.equal(READERS[reader](x), plain())


def test_save_and_load():
    buffer = io.BytesIO()
    torch.save({"x": physical()}, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, map_location="cpu")["x"], plain())


VIEWS = {
    "narrow channels": lambda x: x[:, 2:5],
    "narrow height": lambda x: x[:, :, 1:3],
    "select": lambda x: x[1],
    "select channel": lambda x: x[:, 3],
    "step": lambda x: x[:, ::2, ::2, 1::2],
    "permute": lambda x: x.permute(3, 0, 2, 1),
    "flatten space": lambda x: x.view(2, 6, 20),
    "tokens": lambda x: x.flatten(2).transpose(1, 2),
    "expand": lambda x: x[:, :1].expand(2, 7, 4, 5),
    "chunk": lambda x: x.chunk(3, 1)[2],
    "unsqueeze": lambda x: x.unsqueeze(1)[:, 0],
    "split channels": lambda x: x.view(2, 3, 2, 4, 5),
}
OPAQUE_VIEWS = {
    "flatten all": lambda x: x.view(-1),
    "channels and height": lambda x: x.view(2, 24, 5),
    "diagonal": lambda x: x.as_strided((2, 3), (120, 21)),
    "across": lambda x: x.as_strided((2, 10), (120, 7)),
}


@pytest.mark.parametrize("view", VIEWS)
def test_view_that_translates_reads_the_physical_bytes(view):
    x = physical()
    seen = VIEWS[view](x)
    expected = VIEWS[view](plain())
    assert seen.stride() == expected.stride()
    strides = physical_strides(seen)
    assert strides is not None
    result = _C.read_operand(seen)
    assert torch.equal(result, expected)
    assert not is_plain(x)


@pytest.mark.parametrize("view", OPAQUE_VIEWS)
def test_view_that_does_not_translate_makes_plain_bytes(view):
    x = physical()
    seen = OPAQUE_VIEWS[view](x)
    assert physical_strides(seen) is None
    assert torch.equal(_C.read_operand(seen), OPAQUE_VIEWS[view](plain()))
    assert is_plain(x) and physical_strides(x) is not None  # both forms now


def test_random_views_translate_or_materialize_rightly():
    generator = torch.Generator().manual_seed(0)
    source = plain((3, 4, 6, 2))

    def below(limit: int) -> int:
        return int(torch.randint(limit, (), generator=generator))

    translated = 0
    for _ in range(400):
        rank = 1 + below(4)
        sizes = [1 + below(4) for _ in range(rank)]
        strides = [(0, 1, 2, 3, 4, 6, 12, 24, 48, 96)[below(10)] for _ in range(rank)]
        reach = sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if reach >= source.numel():
            continue
        offset = below(source.numel() - reach)
        x = physical((3, 4, 6, 2))
        seen = x.as_strided(sizes, strides, offset)
        translated += physical_strides(seen) is not None
        assert torch.equal(_C.read_operand(seen), source.as_strided(sizes, strides, offset))
    assert translated > 50


WRITERS = {
    "add_": lambda x: x.add_(1),
    "view write": lambda x: x[:, 1].fill_(7),
    "copy_": lambda x: x.copy_(torch.ones(SHAPE)),
    "setitem": lambda x: x.__setitem__((0, 0, 0), 3.0),
    "out": lambda x: torch.cumsum(x.clone(), 1, out=x),
    "as_cpu": lambda x: torch.ipex.as_cpu(x).mul_(2),
    "foreach": lambda x: torch._foreach_mul_([x], 3.0),
    "zero_": lambda x: x.zero_(),
    "relu_": lambda x: x.sub_(50).relu_(),
    "index_put_": lambda x: x.index_put_((torch.tensor([0], device=x.device),), torch.tensor(5.0, device=x.device)),
    "resize_": lambda x: x.resize_(1, 6, 4, 5),
    "set data": lambda x: setattr(x, "data", torch.full(SHAPE, 4.0, device=x.device)),
    "masked_fill_": lambda x: x.masked_fill_(x > 5, -1.0),
}


@pytest.mark.parametrize("both", [False, True], ids=["physical only", "both forms"])
@pytest.mark.parametrize("writer", WRITERS)
def test_every_way_of_writing_is_seen(writer, both):
    x, expected = physical(), plain()
    if both:
        x.view(-1).cpu()
        assert is_plain(x)
    alias = x.detach()
    WRITERS[writer](x)
    if writer == "as_cpu":
        expected.mul_(2)
    elif writer == "set data":
        expected.fill_(4.0)
    else:
        WRITERS[writer](expected)
    assert torch.equal(x.cpu(), expected)
    if writer not in ("set data", "resize_"):
        assert torch.equal(alias.cpu(), expected)


def test_version_counts_writes_only():
    x = physical()
    torch.cumsum(x, 0)
    x.view(-1).cpu()
    assert x._version == 0
    x.add_(1)
    assert x._version == 1


def test_raw_pointer_materializes_and_stays():
    x = physical()
    pointer = x.data_ptr()
    assert is_plain(x) and physical_strides(x) is None
    assert x.data_ptr() == pointer
    assert torch.equal(torch.ipex.as_cpu(x), plain())
    assert x.data_ptr() == pointer


def test_both_forms_agree_until_a_write_drops_the_physical_one():
    x = physical()
    x.view(-1).cpu()
    assert is_plain(x) and physical_strides(x) is not None
    generation = _C.physical_form(x)["generation"]
    x[0, 0].zero_()
    assert physical_strides(x) is None or not is_plain(x)
    assert _C.physical_form(x)["generation"] > generation


def test_saved_tensor_and_gradient():
    x = physical().requires_grad_()
    y = (x.cumsum(1) * x).sum()
    y.backward()
    expected = plain().requires_grad_()
    (expected.cumsum(1) * expected).sum().backward()
    torch.testing.assert_close(x.grad.cpu(), expected.grad)


def test_forms_of_deleted_storages_are_freed():
    before = torch.ipex.memory_allocated()
    for _ in range(3):
        x = physical()
        x.view(-1).cpu()
        del x
    assert torch.ipex.memory_allocated() == before


def test_overlapping_views_are_read_by_native_kernels():
    """oneDNN cannot describe what unfold gives; the values are copied element by element then."""
    x = torch.randn(2, 3, 40)
    weight = torch.randn(16, 8)
    windows, moved = x.unfold(2, 8, 2), x.to("ipex").unfold(2, 8, 2)
    with torch.ipex.fallback_policy("error"):
        products = torch.nn.functional.linear(moved, weight.to("ipex"))
        sums = moved.sum(3)
        batches = torch.bmm(
            x.to("ipex").as_strided((4, 8, 8), (8, 8, 1)), x.to("ipex").as_strided((4, 8, 8), (4, 8, 1))
        )
    torch.testing.assert_close(products.cpu(), torch.nn.functional.linear(windows, weight))
    torch.testing.assert_close(sums.cpu(), windows.sum(3))
    torch.testing.assert_close(
        batches.cpu(), torch.bmm(x.as_strided((4, 8, 8), (8, 8, 1)), x.as_strided((4, 8, 8), (4, 8, 1)))
    )
