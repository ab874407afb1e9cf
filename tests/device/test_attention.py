"""Scaled dot-product attention takes the CPU's algorithm and gives the CPU's numbers, gradients included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from torch_ipex_device.testing.compare import assert_same

BATCH, HEADS, QUERIES, KEYS, SIZE = 2, 4, 9, 11, 16


def operands(dtype: torch.dtype = torch.float32, keys: int = KEYS, requires_grad: bool = True) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = [(BATCH, HEADS, n, SIZE) for n in (QUERIES, keys, keys)]
    return [torch.randn(shape).to(dtype).requires_grad_(requires_grad) for shape in shapes]


def run(inputs: list[Tensor], **options: Any) -> tuple[Tensor, list[Tensor | None]]:
    result = scaled_dot_product_attention(*inputs, **options)
    if result.requires_grad:
        result.float().pow(2).sum().backward()
    return result, [x.grad for x in inputs]


def on_device(inputs: list[Tensor]) -> list[Tensor]:
    return [x.detach().ipex().requires_grad_(x.requires_grad) for x in inputs]


MASKS: dict[str, Any] = {
    "none": lambda: None,
    "bool": lambda: torch.rand(QUERIES, KEYS) > 0.3,
    "bool_broadcast": lambda: torch.rand(BATCH, 1, QUERIES, KEYS) > 0.3,
    "float": lambda: torch.randn(QUERIES, KEYS),
    "float_per_head": lambda: torch.randn(BATCH, HEADS, QUERIES, KEYS),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_masks_and_dtypes_match_cpu(mask: str, dtype: torch.dtype) -> None:
    inputs = operands(dtype)
    attn_mask = MASKS[mask]()
    if attn_mask is not None and attn_mask.is_floating_point():
        attn_mask = attn_mask.to(dtype)
    device_mask = None if attn_mask is None else attn_mask.ipex()
    rounded = dtype == torch.bfloat16  # CPU rounds between the steps, ours only at the end
    assert_same(
        run(on_device(inputs), attn_mask=device_mask),
        run(inputs, attn_mask=attn_mask),
        coefficient=(2.0, 5000.0) if rounded else 1.0,
    )


def test_causal_matches_cpu() -> None:
    inputs = operands(keys=QUERIES)
    assert_same(run(on_device(inputs), is_causal=True), run(inputs, is_causal=True))


def test_scale_matches_cpu() -> None:
    inputs = operands()
    assert_same(run(on_device(inputs), scale=0.3), run(inputs, scale=0.3))


def test_grouped_queries_match_cpu() -> None:
    q, k, v = operands()
    inputs = [q.detach(), k.detach()[:, :2], v.detach()[:, :2]]
    assert_same(run(on_device(inputs), enable_gqa=True), run(inputs, enable_gqa=True))


def test_mask_with_gradient_matches_cpu() -> None:
    inputs = operands()
    mask = torch.randn(BATCH, HEADS, QUERIES, KEYS, requires_grad=True)
    twin = mask.detach().ipex().requires_grad_()
    assert_same(run(on_device(inputs), attn_mask=twin), run(inputs, attn_mask=mask))
    assert_same(twin.grad, mask.grad)


def test_dropout_draws_the_cpu_mask() -> None:
    inputs = operands()
    torch.manual_seed(3)
    expected = run(inputs, dropout_p=0.4)
    torch.manual_seed(3)
    assert_same(run(on_device(inputs), dropout_p=0.4), expected)


@pytest.mark.parametrize("backend", [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION])
def test_chosen_backend_is_used(backend: SDPBackend) -> None:
    inputs = operands(keys=QUERIES)
    operator = {
        SDPBackend.MATH: "aten::_scaled_dot_product_attention_math",
        SDPBackend.FLASH_ATTENTION: "aten::_scaled_dot_product_flash_attention_for_cpu",
    }[backend]
    with sdpa_kernel(backend):
        expected = run(inputs, is_causal=True)
        with torch.profiler.profile() as profile:
            actual = run(on_device(inputs), is_causal=True)
    assert operator in {event.key for event in profile.key_averages()}
    assert_same(actual, expected)


def test_default_choice_is_that_of_cpu() -> None:
    inputs = operands(requires_grad=False)
    choices = [torch._fused_sdp_choice(*values) for values in (inputs, on_device(inputs))]
    assert choices[0] == choices[1]


def test_fully_masked_row_matches_cpu() -> None:
    inputs = operands(requires_grad=False)
    mask = torch.ones(QUERIES, KEYS, dtype=torch.bool)
    mask[2] = False
    assert_same(run(on_device(inputs), attn_mask=mask.ipex()), run(inputs, attn_mask=mask))


@pytest.mark.parametrize("training", [True, False])
def test_multihead_attention_module(training: bool) -> None:
    torch.manual_seed(0)
    module = nn.MultiheadAttention(16, 4, batch_first=True).train(training)
    x, padding = torch.randn(2, 6, 16), torch.tensor([[0, 0, 0, 0, 1, 1], [0] * 6]).bool()
    with torch.set_grad_enabled(training):
        expected = module(x, x, x, key_padding_mask=padding)
        module.to("ipex")
        assert_same(module(*[x.ipex()] * 3, key_padding_mask=padding.ipex()), expected, coefficient=4)  # two products


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_transformer_encoder_with_padding_takes_the_nested_fast_path() -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2).eval()
    x, padding = torch.randn(2, 6, 16), torch.tensor([[0, 0, 0, 0, 1, 1], [0] * 6]).bool()
    with torch.no_grad():
        expected = model(x, src_key_padding_mask=padding)
        actual = model.to("ipex")(x.ipex(), src_key_padding_mask=padding.ipex())
    assert_same(actual, expected, coefficient=10)  # two layers of six products
