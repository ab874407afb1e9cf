"""Models from torchvision and transformers: as near to float64 as PyTorch is, with their state."""

from __future__ import annotations

import copy
import importlib.util
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from accuracy import difference, sqnr
from torch_ipex_device.testing.torchvision_support import import_torchvision

from .nets import assert_same_state, assert_unchanged, optimize, randomised, snapshot


def missing(name: str) -> Any:
    return pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")


def check(model: nn.Module, call: Any, expected: Tensor, options: dict[str, Any]) -> nn.Module:
    before = snapshot(model)
    state = copy.deepcopy(model.state_dict())
    made = optimize(model, **options)
    assert type(made) is type(model)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled="dtype" in options):
        results, stock = [call(made) for _ in range(2)], call(model)
    for result in results:
        if "dtype" in options:
            assert sqnr(result, expected) > sqnr(stock, expected) - 1
        else:
            assert difference(result, expected) < 4 * difference(stock, expected) + 1e-5
    assert_same_state(made.state_dict(), state)
    assert_unchanged(model, before)
    return made


# Model, and how many batch norms cannot be folded: those of DenseNet that come before their convolution.
VISION = [("densenet121", 62), ("mobilenet_v3_small", 0), ("resnet18", 0)]


@missing("torchvision")
@pytest.mark.parametrize(
    ("name", "left", "options"), [*((*row, {}) for row in VISION), (*VISION[-1], {"dtype": torch.bfloat16})]
)
def test_torchvision(name: str, left: int, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = randomised(getattr(import_torchvision().models, name)(weights=None))
    x = torch.randn(2, 3, 40, 40)
    with torch.no_grad():
        expected = copy.deepcopy(model).double()(x.double())
    made = check(model, lambda model: model(x), expected, options)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in made.modules()) == left


@pytest.fixture(scope="module")
def bert() -> tuple[nn.Module, dict[str, Tensor], Tensor]:
    import_torchvision()  # transformers imports it
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    model = BertModel(BertConfig(vocab_size=100, **sizes)).eval()
    tokens = torch.randint(0, 100, (2, 12))
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens).tril()}
    with torch.no_grad():
        return model, inputs, copy.deepcopy(model).double()(**inputs).last_hidden_state


@missing("transformers")
@missing("torchvision")
@pytest.mark.parametrize(
    "options",
    [{}, {"dtype": torch.bfloat16}, {"concat_linear": True}, {"concat_linear": True, "dtype": torch.bfloat16}],
    ids=str,
)
def test_bert(bert: tuple[nn.Module, dict[str, Tensor], Tensor], options: dict[str, Any]) -> None:
    model, inputs, expected = bert
    made = check(model, lambda model: model(**inputs).last_hidden_state, expected, options)
    joined = [name for name, module in made.named_modules() if "_ipex_siblings" in vars(module)]
    assert len(joined) == (6 if "concat_linear" in options else 0)


@missing("transformers")
@missing("torchvision")
def test_gpt2_with_tied_weights_generates_the_same() -> None:
    import_torchvision()
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=60, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    model = GPT2LMHeadModel(config).eval()
    tokens = torch.randint(3, 60, (2, 5))
    options = {"max_new_tokens": 6, "do_sample": False, "attention_mask": torch.ones_like(tokens)}
    with torch.no_grad():
        expected = model.generate(tokens, **options)
        made = optimize(model)
        assert torch.equal(made.generate(tokens, **options), expected)
        low = optimize(model, dtype=torch.bfloat16)
        assert low.lm_head.weight is low.transformer.wte.weight
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(low(tokens).logits.float(), model(tokens).logits.float(), rtol=0.05, atol=0.05)
    assert_same_state(low.state_dict(), model.state_dict())


def test_transformer_encoder_with_its_fast_path() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 2).eval()
    x = torch.randn(3, 5, 8)
    with torch.no_grad():
        expected = model(x)
        torch.testing.assert_close(optimize(model)(x), expected)
        low = optimize(model, dtype=torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(low(x).float(), expected, rtol=0.1, atol=0.1)
