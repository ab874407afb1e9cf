"""Four kinds of transformers, small and with random weights, for tests of whole models."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torch_ipex_device.testing.torchvision_support import import_torchvision

TRANSFORMERS = ("bert", "gpt2", "t5", "vit")


class Transformer(nn.Module):
    """The last hidden state of a transformer in evaluation mode, or its logits.

    Args:
        name: one of `TRANSFORMERS`.
        with_head: whether it has a language model's head, which shares its weight with the embedding.

    Attributes:
        inputs: keyword arguments for it.
    """

    def __init__(self, name: str, with_head: bool = False) -> None:
        super().__init__()
        import_torchvision()  # transformers imports it
        import transformers as t

        torch.manual_seed(0)
        sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
        tokens = torch.randint(0, 100, (2, 12))
        self.inputs: dict[str, Tensor] = {"input_ids": tokens}
        self.result = "logits" if with_head else "last_hidden_state"
        if name == "bert":
            self.model = (t.BertForMaskedLM if with_head else t.BertModel)(t.BertConfig(**sizes, vocab_size=100))
        elif name == "gpt2":
            tokens_of = {"bos_token_id": 1, "eos_token_id": 2}
            config = t.GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=100, **tokens_of)
            self.model = (t.GPT2LMHeadModel if with_head else t.GPT2Model)(config)
        elif name == "t5":
            config = t.T5Config(d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, vocab_size=100)
            self.model = (t.T5ForConditionalGeneration if with_head else t.T5Model)(config)
            self.inputs["decoder_input_ids"] = tokens[:, :7]
        else:
            self.model = t.ViTModel(t.ViTConfig(**sizes, image_size=32, patch_size=8))
            self.inputs = {"pixel_values": torch.randn(2, 3, 32, 32)}
        self.eval()

    def forward(self, **inputs: Tensor) -> Tensor:
        result: Tensor = self.model(**inputs)[self.result]
        return result
