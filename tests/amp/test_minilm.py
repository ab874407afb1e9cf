"""Sentences mean the same in mixed precision: a transformer with real weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import torch_ipex_device as ipex
from minilm import SENTENCES, Encoder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder()


def test_embeddings_agree_with_float32(encoder: Encoder) -> None:
    with torch.no_grad():
        expected = encoder(SENTENCES)
        device = encoder.to("ipex")
        kept = {name: value.cpu().clone() for name, value in device.state_dict().items()}
        full = device(SENTENCES).cpu()
        with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
            device(SENTENCES)
            with ipex.explain() as explanation:
                low = device(SENTENCES).cpu()
    torch.testing.assert_close(full, expected, rtol=1e-4, atol=1e-5)
    assert not torch.equal(low, full)
    assert F.cosine_similarity(low.double(), expected.double()).min() >= 0.999
    computed = [row for row in explanation.rows if row.operator.startswith(("linear", "aten::linear"))]
    assert any("BFloat16" in row.arguments for row in computed)
    assert all(torch.equal(value.cpu(), kept[name]) for name, value in device.state_dict().items())
