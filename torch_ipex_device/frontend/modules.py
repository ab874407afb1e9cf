"""The classes that replace those of `torch.nn` in an optimised model: the same parameters, native operators.

A module is replaced by setting its `__class__`, so hooks, attributes, references to it and `isinstance` stay. The names are
PyTorch's, so a model prints as before.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from . import functional


class Linear(nn.Linear):
    """`torch.nn.Linear` on `torch_ipex::linear`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight, self.bias)


class _Convolution(nn.modules.conv._ConvNd):
    """What the convolutions share: PyTorch's `forward` calls `_conv_forward`."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = "valid"
        if padding == "valid":
            padding = (0,) * len(self.kernel_size)
        elif padding == "same":
            sides = (
                self._reversed_padding_repeated_twice
            )  # left and right of the last dimension, then of those before it
            if sides[::2] == sides[1::2]:
                padding = tuple(reversed(sides[::2]))
            else:
                input, padding = F.pad(input, sides), (0,) * len(self.kernel_size)
        assert not isinstance(padding, str)
        return functional.convolution(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Convolution, nn.Conv1d):
    """`torch.nn.Conv1d` on `torch_ipex::convolution`."""


class Conv2d(_Convolution, nn.Conv2d):
    """`torch.nn.Conv2d` on `torch_ipex::convolution`."""


class Conv3d(_Convolution, nn.Conv3d):
    """`torch.nn.Conv3d` on `torch_ipex::convolution`."""


class _ConvTranspose(nn.modules.conv._ConvTransposeNd):
    """What the transposed convolutions share."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if self.padding_mode != "zeros":
            raise ValueError(f"Only `zeros` padding mode is supported for {type(self).__name__}")  # as PyTorch does
        assert isinstance(self.padding, tuple)
        dims = len(self.kernel_size)
        output_padding = self._output_padding(
            input,
            output_size,
            self.stride,  # type: ignore[arg-type]
            self.padding,  # type: ignore[arg-type]
            self.kernel_size,  # type: ignore[arg-type]
            dims,
            self.dilation,  # type: ignore[arg-type]
        )
        return functional.conv_transpose(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            tuple(output_padding),
            self.groups,
            self.dilation,
        )


class ConvTranspose1d(_ConvTranspose, nn.ConvTranspose1d):
    """`torch.nn.ConvTranspose1d` on `torch_ipex::convolution`."""


class ConvTranspose2d(_ConvTranspose, nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` on `torch_ipex::convolution`."""


class ConvTranspose3d(_ConvTranspose, nn.ConvTranspose3d):
    """`torch.nn.ConvTranspose3d` on `torch_ipex::convolution`."""


class LayerNorm(nn.LayerNorm):
    """`torch.nn.LayerNorm` on `torch_ipex::layer_norm`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class GELU(nn.GELU):
    """`torch.nn.GELU` on `torch_ipex::gelu`."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.gelu(input, self.approximate)
