"""How tensors lie in memory: the only place where a physical form or a packed weight can be seen."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from torch_ipex_device import _C

from ._utils import TYPE
from .interop import _on


@dataclass(frozen=True)
class PhysicalForm:
    """What the storage of a tensor holds.

    Attributes:
        plain: whether the bytes that sizes, strides and dtype promise exist now; they are made when somebody needs them.
        open: whether the values are still to be computed (`torch.ipex.set_eager_fusion`).
        strides: strides of the tensor, in elements, in the bytes that a kernel wrote in another order of dimensions, or
            None without such bytes (and for a view that no strides describe there).
        dtype: type of these bytes, "Float", or of the values that are there instead: "BFloat16", "Char", "Byte".
        scale: of values in int8 that there are, or that an operator which reads them as int8 will make: they stand for
            value / scale. None without such values.
        quantized_dtype: their type, "Char" or "Byte", or None.
        packed: oneDNN's format of each packed copy that kernels keep of a weight, such as "Acdb16a".
        packed_bytes: memory of these copies, in bytes.
        generation: how often a write has dropped copies of the values.
    """

    plain: bool
    open: bool
    strides: tuple[int, ...] | None
    dtype: str
    scale: float | None
    quantized_dtype: str | None
    packed: tuple[str, ...]
    packed_bytes: int
    generation: int


def physical_form(input: Tensor) -> PhysicalForm:
    """Returns how the storage of an ipex tensor holds its values; changes nothing.

    Sizes, strides, dtype and values of a tensor never depend on it.

    Args:
        input: strided tensor on ipex.

    Raises:
        TypeError: E101, not a tensor.
        ValueError: E103, a tensor that is not on ipex.

    Example:
        >>> x, weight = torch.randn(1, 8, 6, 6, device="ipex"), torch.randn(16, 8, 3, 3, device="ipex")
        >>> y = torch.conv2d(x, weight)
        >>> y.stride(), torch.ipex.physical_form(y).strides
        ((256, 16, 4, 1), (256, 1, 64, 16))
    """
    form = _C.physical_form(_on(input, TYPE, "physical_form"))
    strides = form["strides"]
    return PhysicalForm(
        plain=form["plain"],
        open=form["open"],
        strides=None if strides is None else tuple(strides),
        dtype=form["dtype"],
        scale=form["scale"],
        quantized_dtype=form["quantized_dtype"],
        packed=tuple(form["packed"]),
        packed_bytes=form["packed_bytes"],
        generation=form["generation"],
    )


def mark_written(input: Tensor) -> None:
    """Says that the memory of an ipex tensor was written through a raw pointer that was taken earlier.

    PyTorch's operators, `data_ptr()`, `as_cpu` and DLPack need no such call: only a pointer that is older than the last
    kernel which read the tensor, since kernels keep packed copies of weights.

    Args:
        input: strided tensor on ipex.

    Raises:
        TypeError: E101, not a tensor.
        ValueError: E103, a tensor that is not on ipex.

    Example:
        >>> weight = torch.zeros(4, device="ipex")
        >>> pointer = weight.data_ptr()
        >>> _ = ctypes.memset(pointer, 0, 16)
        >>> torch.ipex.mark_written(weight)
    """
    _C.mark_written(_on(input, TYPE, "mark_written"))
