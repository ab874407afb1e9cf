"""Zero-copy aliases: as_cpu, from_cpu, DLPack and NumPy. Writes are seen on both sides and memory outlives the maker."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.complex64])
def test_as_cpu_shares_memory(dtype: torch.dtype) -> None:
    x = torch.zeros(2, 3, dtype=dtype, device="ipex")
    alias = torch.ipex.as_cpu(x)
    assert alias.device.type == "cpu"
    assert alias.dtype == dtype
    assert alias.data_ptr() == x.data_ptr()
    alias[0, 1] = 1
    x[1, 2] = 1
    assert torch.equal(x.cpu(), alias)
    assert int(alias.to(torch.float64 if not dtype.is_complex else dtype).sum().real) == 2


def test_as_cpu_keeps_view_geometry() -> None:
    x = torch.arange(24.0, device="ipex").view(4, 6)[1:, ::2].t()
    alias = torch.ipex.as_cpu(x)
    assert (alias.shape, alias.stride(), alias.storage_offset()) == (x.shape, x.stride(), x.storage_offset())
    assert torch.equal(alias, x.cpu())


def test_as_cpu_is_detached() -> None:
    x = torch.ones(2, device="ipex", requires_grad=True)
    assert not torch.ipex.as_cpu(x).requires_grad
    assert torch.ipex.as_cpu(x * 2).grad_fn is None


def test_alias_outlives_the_tensor() -> None:
    x = torch.full((1000,), 3.0, device="ipex")
    alias = torch.ipex.as_cpu(x)
    del x
    gc.collect()
    torch.zeros(1000, device="ipex")
    assert alias.sum().item() == 3000


def test_from_cpu_shares_memory_with_numpy() -> None:
    array = np.zeros((2, 3), dtype=np.float32)
    x = torch.ipex.from_cpu(torch.from_numpy(array))
    assert x.is_ipex
    x.add_(2)
    assert array.sum() == 12
    array[0, 0] = 10
    assert (x * 2)[0, 0].item() == 20


def test_from_cpu_keeps_the_owner_alive() -> None:
    x = torch.ipex.from_cpu(torch.full((1000,), 3.0))
    gc.collect()
    torch.zeros(1000)
    assert x.sum().item() == 3000


def test_round_trip_is_the_same_memory() -> None:
    cpu = torch.arange(6.0)
    assert torch.ipex.as_cpu(torch.ipex.from_cpu(cpu)).data_ptr() == cpu.data_ptr()


@pytest.mark.parametrize(("name", "device", "code"), [("as_cpu", "cpu", "E103"), ("from_cpu", "ipex", "E103")])
def test_wrong_side_is_refused(name: str, device: str, code: str) -> None:
    with pytest.raises(ValueError, match=code):
        getattr(torch.ipex, name)(torch.ones(2, device=device))


@pytest.mark.parametrize("name", ["as_cpu", "from_cpu"])
def test_no_tensor_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match="E101"):
        getattr(torch.ipex, name)([1, 2])


def test_numpy_needs_an_explicit_copy_like_cuda() -> None:
    x = torch.ones(2, device="ipex")
    with pytest.raises(TypeError, match="ipex"):
        x.numpy()
    with pytest.raises(TypeError, match="ipex"):
        np.asarray(x)
    assert x.numpy(force=True).tolist() == [1, 1]


def test_dlpack_between_ipex_tensors() -> None:
    x = torch.arange(6.0, device="ipex").view(2, 3).t()
    assert x.__dlpack_device__() == (torch.utils.dlpack.DLDeviceType.kDLExtDev, 0)
    for y in (torch.from_dlpack(x), torch.from_dlpack(torch.utils.dlpack.to_dlpack(x))):
        assert y.is_ipex
        assert y.data_ptr() == x.data_ptr()
        assert (y.shape, y.stride()) == (x.shape, x.stride())
    copied = torch.from_dlpack(x, copy=True)
    assert copied.data_ptr() != x.data_ptr()
    assert torch.equal(copied, x)


def test_dlpack_lends_memory_to_cpu_consumers() -> None:
    x = torch.zeros(2, 3, device="ipex")
    array = np.from_dlpack(x, device="cpu")
    array_without_copy = np.from_dlpack(x, device="cpu", copy=False)
    assert array.ctypes.data == array_without_copy.ctypes.data == x.data_ptr()
    x[1, 1] = 5
    assert array[1, 1] == 5
    assert np.from_dlpack(x, device="cpu", copy=True).ctypes.data != x.data_ptr()


def test_dlpack_alias_outlives_the_tensor() -> None:
    x = torch.full((1000,), 2.0, device="ipex")
    array = np.from_dlpack(x, device="cpu")
    del x
    gc.collect()
    torch.zeros(1000, device="ipex")
    assert array.sum() == 2000


def test_from_dlpack_to_another_device_copies() -> None:
    array = np.ones(3, dtype=np.float32)
    assert torch.from_dlpack(array).device.type == "cpu"
    assert torch.from_dlpack(array, device="ipex").is_ipex
    x = torch.ones(3, device="ipex")
    assert torch.from_dlpack(x, device="cpu").data_ptr() != x.data_ptr()


def test_dlpack_refuses_tensors_that_need_gradient() -> None:
    x = torch.ones(2, device="ipex", requires_grad=True)
    for dl_device in (None, (torch.utils.dlpack.DLDeviceType.kDLCPU, 0)):
        with pytest.raises(BufferError, match="require gradient"):
            x.__dlpack__(dl_device=dl_device)


def test_dlpack_of_cpu_tensors_is_unchanged() -> None:
    x = torch.arange(3.0)
    assert x.__dlpack_device__() == (torch.utils.dlpack.DLDeviceType.kDLCPU, 0)
    assert np.from_dlpack(x).ctypes.data == x.data_ptr()
