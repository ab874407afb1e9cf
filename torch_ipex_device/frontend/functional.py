"""Calls of the native operators with the arguments of `torch.nn.functional`, for eager code on CPU tensors.

Everything else goes where PyTorch sends it: `torch.compile`, `torch.export` and `torch.func` see PyTorch's operators, which
they know; tensors on ipex have native kernels anyway; what PyTorch refuses, it refuses with its own words.

`torch.fx.wrap` keeps the functions whole when somebody traces a model symbolically.
"""

from __future__ import annotations

import torch
import torch.fx
from torch import Tensor
from torch.nn import functional as F

_CONVOLUTIONS = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
_TRANSPOSED = {3: F.conv_transpose1d, 4: F.conv_transpose2d, 5: F.conv_transpose3d}


def is_followed() -> bool:
    """Returns whether a compiler, or a transform of `torch.func`, looks at the operators that are called."""
    return torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None


def is_native(input: Tensor, weight: Tensor) -> bool:
    """Returns whether the native operator takes these operands; under autocast it converts them itself."""
    if not (input.is_cpu and weight.is_cpu) or is_followed():
        return False
    if not torch.is_autocast_enabled("cpu"):
        return input.dtype == weight.dtype  # PyTorch raises otherwise
    accepted = (torch.get_autocast_dtype("cpu"), torch.float32)
    return input.dtype in accepted and weight.dtype in accepted


def bias_beside(weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """Returns a float32 bias in the dtype of the weight where PyTorch's operators want that: outside of autocast.

    Args:
        weight: of the layer.
        bias: of the layer; that of a folded batch norm stays float32 when the weight is cast.
    """
    low = weight.dtype in (torch.bfloat16, torch.float16)
    if bias is None or bias.dtype != torch.float32 or not low or torch.is_autocast_enabled(weight.device.type):
        return bias
    return bias.to(weight.dtype)


@torch.fx.wrap
def linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Returns what `F.linear` does.

    Args:
        input: [..., in_features].
        weight: [out_features, in_features].
        bias: [out_features], or None.
    """
    if not is_native(input, weight):
        return F.linear(input, weight, bias_beside(weight, bias))
    result: Tensor = torch.ops.torch_ipex.linear(input, weight, bias)
    return result


@torch.fx.wrap
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Tensor:
    """Returns what `F.conv1d`, `conv2d` or `conv3d` does, whichever `weight` is for.

    Args:
        input: [batch, channels, ...] or without the batch.
        weight: [out_channels, channels / groups, ...].
        bias: [out_channels], or None.
        stride: one number for each dimension of space, as the next two.
        padding: on both sides.
        dilation: distance of the weight's elements.
        groups: number of groups.
    """
    if input.dim() != weight.dim() or not is_native(input, weight):
        return _CONVOLUTIONS[weight.dim()](input, weight, bias_beside(weight, bias), stride, padding, dilation, groups)
    result: Tensor = torch.ops.torch_ipex.convolution(
        input, weight, bias, stride, padding, dilation, False, (0,) * len(stride), groups
    )
    return result


@torch.fx.wrap
def conv_transpose(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    output_padding: tuple[int, ...],
    groups: int,
    dilation: tuple[int, ...],
) -> Tensor:
    """Returns what `F.conv_transpose1d`, `conv_transpose2d` or `conv_transpose3d` does, whichever `weight` is for."""
    if input.dim() != weight.dim() or not is_native(input, weight):
        return _TRANSPOSED[weight.dim()](input, weight, bias, stride, padding, output_padding, groups, dilation)
    result: Tensor = torch.ops.torch_ipex.convolution(
        input, weight, bias, stride, padding, dilation, True, output_padding, groups
    )
    return result


@torch.fx.wrap
def layer_norm(
    input: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Returns what `F.layer_norm` does; autocast has no rule for it."""
    if not input.is_cpu or is_followed():
        return F.layer_norm(input, normalized_shape, weight, bias, eps)
    result: Tensor = torch.ops.torch_ipex.layer_norm(input, normalized_shape, weight, bias, eps)
    return result


@torch.fx.wrap
def gelu(input: Tensor, approximate: str) -> Tensor:
    """Returns what `F.gelu` does; autocast has no rule for it."""
    if not input.is_cpu or is_followed():
        return F.gelu(input, approximate=approximate)
    result: Tensor = torch.ops.torch_ipex.gelu(input, approximate)
    return result
