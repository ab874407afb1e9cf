"""Rows of attention: the fused operator forward and backward, multi-head attention, the transformer's encoder layer."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..row import Arguments, Invalid, Make, Row, Shape, one

aten = torch.ops.aten
Tensor = torch.Tensor


def _heads(t: Tensor) -> Tensor:
    """Returns [batch, heads, tokens, size]; sizes are adjacent, as stock PyTorch's kernel takes for granted."""
    t = t[(None,) * (4 - t.dim())]
    return t if t.stride(-1) == 1 or t.shape[-1] == 1 else t.contiguous()


def _fused(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, mask: Tensor | None, scale: float | None
) -> tuple[Tensor, Tensor]:
    return aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal, attn_mask=mask, scale=scale)


def _fused_backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dst: Tensor,
    logsumexp: Tensor,
    causal: bool,
    mask: Tensor | None,
    scale: float | None,
) -> tuple[Tensor, Tensor, Tensor]:
    return aten._scaled_dot_product_flash_attention_for_cpu_backward(
        grad, q, k, v, dst, logsumexp, 0.0, causal, attn_mask=mask, scale=scale
    )


def _attention(*, causal: bool = False, mask: str = "", scale: float | None = None, keys: int = 0) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        key_shape = (*shape[:-2], keys or shape[-2], shape[-1])
        q, k, v = (_heads(make(s)) for s in (shape, key_shape, key_shape))
        bias = None
        if mask:
            sizes = (*(q.shape[:1] if mask == "batch" else ()), *((1,) if mask == "batch" else ()))
            sizes = (*sizes, q.shape[-2], k.shape[-2])
            bias = torch.linspace(-9, 9, torch.Size(sizes).numel()).sin().reshape(sizes).to(q.dtype)
            bias[..., -1, :] = -float("inf")  # the last query sees nothing
        return q, k, v, causal, bias, scale

    return arguments


def _backward(**options: Any) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        q, k, v, *rest = _attention(**options)(make, shape)
        return _heads(make(shape)), q, k, v, *_fused(q, k, v, *rest), *rest

    return arguments


def _math(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention whose second derivative exists: the fused operator has none in PyTorch either."""
    with sdpa_kernel(SDPBackend.MATH):
        return F.scaled_dot_product_attention(_heads(q), _heads(k), _heads(v)).reshape(q.shape)


_FUSED: dict[str, Any] = {
    "shapes": ((1, 8), (5, 7), (2, 130, 64), (2, 3, 17, 33), (2, 4, 50, 16)),
    "empty": (),  # stock PyTorch divides by zero
    "benchmark": ((1, 12, 128, 64), (1, 12, 197, 64), (1, 12, 512, 64), (8, 12, 128, 64)),
    "dtypes": (torch.float32, torch.bfloat16),
    "isa": ("avx2", "avx512", "avx10"),
    "autocast": torch.bfloat16,
    "inputs": lambda shape: (shape,) * 3,
    "function": _math,
    "other": {"float64": lambda make, shape: (*(t.double() for t in _attention()(make, shape)[:3]), False, None, None)},
}


def _parameters(make: Make, size: int) -> tuple[Tensor, ...]:
    """Returns weights and biases of both projections, small enough for scores of a few units."""
    shapes = ((3 * size, size), (3 * size,), (size, size), (size,))
    return tuple((make(s) / (2 * size**0.5)).contiguous() for s in shapes)


def _tokens(make: Make, shape: Shape) -> Tensor:
    t = make(shape)
    return t[(None,) * (3 - t.dim())]


def _multi_head(*, mask_type: int | None = None, need_weights: bool = False, average: bool = True) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        x = _tokens(make, shape)
        mask = None
        if mask_type is not None:
            batch, tokens = x.shape[:2]
            sizes = ((tokens, tokens), (batch, tokens), (batch, 4, tokens, tokens))[mask_type]
            mask = torch.arange(torch.Size(sizes).numel()).reshape(sizes) % 5 == 1
        parameters = _parameters(make, x.shape[-1])
        return x, x, x, x.shape[-1], 4, *parameters, mask, need_weights, average, mask_type

    return arguments


def _encoder_layer(gelu: bool, norm_first: bool) -> Arguments:
    def arguments(make: Make, shape: Shape) -> tuple[Any, ...]:
        x = _tokens(make, shape)
        size = x.shape[-1]
        norms = tuple(make((size,)).contiguous() for _ in range(4))
        ffn = [(make(s) / size**0.5).contiguous() for s in ((2 * size, size), (2 * size,), (size, 2 * size), (size,))]
        return x, size, 4, *_parameters(make, size), gelu, norm_first, 1e-5, *norms, *ffn

    return arguments


_MODULES: dict[str, Any] = {
    "shapes": ((1, 8), (2, 5, 16), (3, 17, 24)),
    "empty": (),
    "dtypes": (torch.float32,),
    "layout_shape": (4, 6, 32),
    "hostile_shapes": (),  # NaN in one token reaches all others: nothing to compare
    "isa": ("avx2", "avx512", "avx10"),
    "autocast": torch.float32,
    "inputs": one,
    "function": lambda src: torch.softmax(src, -1),  # inference only: PyTorch has no derivative
    "benchmark": ((1, 128, 768), (1, 197, 768), (8, 128, 768)),
    "coefficient": (8, "products of products"),
}

ROWS = (
    Row(
        operator="aten::_scaled_dot_product_flash_attention_for_cpu",
        call=_fused,
        native={
            "plain": _attention(),
            "causal": _attention(causal=True),
            "mask": _attention(mask="matrix"),
            "mask of a batch": _attention(mask="batch"),
            "scale": _attention(scale=0.3),
            "negative scale": _attention(scale=-0.5),
            "more keys": _attention(keys=75),
            "causal with fewer keys": _attention(causal=True, keys=3),
        },
        invalid=(
            Invalid(
                lambda make, shape: (make(shape), make(shape), make((2, 3, 5, 4)), False, None, None),
                (2, 3, 5, 8),
                RuntimeError,
                "same head size",
            ),
        ),
        coefficient=(4, "exponentials of scores of up to 60"),
        hostile_shapes=((16, 4), (16, 40)),
        hostile_undefined=("causal with fewer keys",),  # below 8 keys stock PyTorch takes a row of NaN for a masked one
        hostile_nonfinite="the logarithm of a sum with an infinite maximum, by vector length",
        **_FUSED,
    ),
    Row(
        operator="aten::_scaled_dot_product_flash_attention_for_cpu_backward",
        call=_fused_backward,
        native={
            "plain": _backward(),
            "causal": _backward(causal=True),
            "mask": _backward(mask="matrix"),
            "more keys": _backward(keys=75, scale=0.1),
        },
        coefficient=(8, "three products in a row of values up to 100"),
        hostile_shapes=((16, 4), (16, 40)),
        hostile_undefined=("huge",),
        **_FUSED
        | {
            "other": {
                "float64": lambda make, shape: (*(t.double() for t in _backward()(make, shape)[:6]), False, None, None)
            }
        },
    ),
    Row(
        operator="aten::_native_multi_head_attention",
        call=aten._native_multi_head_attention.default,
        native={
            "plain": _multi_head(),
            "average weights": _multi_head(need_weights=True),
            "weights": _multi_head(need_weights=True, average=False),
            "matrix mask": _multi_head(mask_type=0),
            "padding mask": _multi_head(mask_type=1),
            "full mask": _multi_head(mask_type=2, need_weights=True),
        },
        other={
            "key of its own": lambda make, shape: (
                (x := make(shape)),
                make(shape),
                x,
                shape[-1],
                4,
                *_parameters(make, shape[-1]),
            ),
        },
        physical=False,  # the tests would make three tensors of the one
        **_MODULES,
    ),
    Row(
        operator="aten::_transformer_encoder_layer_fwd",
        call=aten._transformer_encoder_layer_fwd.default,
        native={
            "gelu": _encoder_layer(True, False),
            "relu": _encoder_layer(False, False),
            "norm first": _encoder_layer(True, True),
        },
        **_MODULES,
    ),
)
