"""to_device, to_host and resident: memory is shared where it should be, and results are CPU tensors like any other."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch

from .cases import DTYPES, OPS, convolution, numbers


def results() -> dict[str, torch.Tensor]:
    x, w = numbers(128, 256), numbers(192, 256, seed=1)
    with torch.no_grad():
        return {
            "linear": OPS.linear(x, w),
            "convolution": convolution(numbers(2, 8, 6, 6), numbers(16, 8, 3, 3, seed=1)),
            "gelu": OPS.gelu(x),
        }


def test_to_device_and_back_share_memory():
    x = numbers(4, 6)[1:, ::2]
    there = OPS.to_device(x)
    back = OPS.to_host(there)
    assert there.device.type == "ipex" and back.device.type == "cpu"
    assert there.stride() == back.stride() == x.stride() and back.data_ptr() == x.data_ptr()
    there.fill_(7)
    assert (x == 7).all() and (back == 7).all()
    x.zero_()
    assert not there.cpu().any()


def test_memory_outlives_the_tensor_it_was_made_for():
    there = OPS.to_device(numbers(1000))
    junk = [numbers(1000, seed=i) for i in range(5)]
    assert torch.equal(there.cpu(), numbers(1000)) and junk
    here = OPS.to_host(numbers(1000).to("ipex") * 1)
    junk = [torch.zeros(1000, device="ipex") for _ in range(5)]
    assert torch.equal(here, numbers(1000)) and junk


@pytest.mark.parametrize(
    ("operator", "device"), [(OPS.to_device, "ipex"), (OPS.to_host, "cpu"), (OPS.resident, "ipex")]
)
def test_a_tensor_that_is_there_is_copied(operator, device):
    x = numbers(4, 6).to(device)
    y = operator(x)
    assert y.device == x.device and torch.equal(y, x)
    y.fill_(1)
    assert torch.equal(x.cpu(), numbers(4, 6))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_resident_reads_a_weight(dtype):
    weight = numbers(64, 32).t().to(dtype)
    for _ in range(3):
        there = OPS.resident(weight)
        assert there.device.type == "ipex" and there.shape == weight.shape and torch.equal(there.cpu(), weight)
    weight.fill_(2)
    assert (OPS.resident(weight) == 2).all()


def test_resident_converts():
    weight = numbers(64, 32)
    for _ in range(3):
        there = OPS.resident(weight, torch.bfloat16)
        assert there.dtype == torch.bfloat16 and torch.equal(there.cpu(), weight.bfloat16())
    assert OPS.resident(weight.to("ipex"), torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize("name", results())
def test_results_are_plain_cpu_tensors(name):
    y = results()[name]
    assert y.device.type == "cpu" and type(y) is torch.Tensor and y.storage_offset() == 0
    assert y.untyped_storage().nbytes() == y.numel() * y.itemsize
    assert torch.equal(torch.from_numpy(y.numpy()), y) and torch.equal(torch.from_dlpack(y), y)
    assert torch.equal(copy.deepcopy(y), y) and torch.equal(pickle.loads(pickle.dumps(y)), y)
    file = io.BytesIO()
    torch.save(y, file)
    file.seek(0)
    assert torch.equal(torch.load(file), y)
    expected = y * 2
    y.numpy()[:] *= 2
    assert torch.equal(y, expected)
    view = y.flatten()[::2]
    view.zero_()
    assert not y.flatten()[::2].any()


def test_results_outlive_what_they_were_made_of():
    kept = [results()["linear"] for _ in range(5)]
    assert all(torch.equal(other, kept[0]) for other in kept[1:])


def test_results_can_be_resized():
    y = results()["gelu"]
    before = y.clone()
    y.resize_(200, 256)
    assert torch.equal(y[:128], before)


def test_results_can_be_shared():
    y = results()["linear"]
    before = y.clone()
    assert y.share_memory_().is_shared() and torch.equal(y, before)
    z = results()["gelu"]
    z.set_(before)
    assert torch.equal(z, before)
