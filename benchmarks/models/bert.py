"""BERT in plain PyTorch (Devlin et al., 2018; the order of operations of the original), and BERT-base as a token classifier."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY, WIDTH, HEADS, LAYERS, POSITIONS = 30522, 768, 12, 12, 512
# Labels of the usual named-entity data set (CoNLL 2003).
LABELS = 9


class Layer(nn.Module):
    """Self-attention and feed-forward network, each with a residual and a layer norm behind it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.merge = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)
        self.output_norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Returns the same shape as x, (batch, sequence, width); `mask` is that of `scaled_dot_product_attention`."""
        batch, length, width = x.shape
        query, key, value = (
            linear(x).view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        )
        attention = (
            F.scaled_dot_product_attention(query, key, value, mask).transpose(1, 2).reshape(batch, length, width)
        )
        x = self.attention_norm(x + self.merge(attention))
        hidden: torch.Tensor = self.output_norm(x + self.contract(F.gelu(self.expand(x))))
        return hidden


class Encoder(nn.Module):
    """Embeddings and layers; vocabulary and positions are those of BERT-base."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, width)
        self.position = nn.Embedding(POSITIONS, width)
        self.segment = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))

    def states(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Returns (batch, sequence, width) of int64 token ids (batch, sequence); all tokens are of segment 0."""
        x = self.token(ids) + self.position.weight[: ids.shape[1]] + self.segment.weight[0]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, mask)
        return x


class Bert(Encoder):
    """BERT-base, and one linear layer that scores the labels of every token."""

    def __init__(self) -> None:
        super().__init__(WIDTH, HEADS, LAYERS)
        self.classifier = nn.Linear(WIDTH, LABELS)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Returns logits (batch, sequence, labels) of int64 token ids (batch, sequence)."""
        logits: torch.Tensor = self.classifier(self.states(ids))
        return logits
