"""BERT-base as a token classifier, in plain PyTorch (Devlin et al., 2018; the sizes and order of operations of the original)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY, WIDTH, HEADS, LAYERS, POSITIONS = 30522, 768, 12, 12, 512
# Labels of the usual named-entity data set (CoNLL 2003).
LABELS = 9


class Layer(nn.Module):
    """Self-attention and feed-forward network, each with a residual and a layer norm behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.merge = nn.Linear(WIDTH, WIDTH)
        self.attention_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.expand = nn.Linear(WIDTH, 4 * WIDTH)
        self.contract = nn.Linear(4 * WIDTH, WIDTH)
        self.output_norm = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the same shape as x, (batch, sequence, width)."""
        batch, length, _ = x.shape
        query, key, value = (
            linear(x).view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        )
        attention = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, length, WIDTH)
        x = self.attention_norm(x + self.merge(attention))
        hidden: torch.Tensor = self.output_norm(x + self.contract(F.gelu(self.expand(x))))
        return hidden


class Bert(nn.Module):
    """Embeddings, 12 layers, one linear layer that scores the labels of every token."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, WIDTH)
        self.position = nn.Embedding(POSITIONS, WIDTH)
        self.segment = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.classifier = nn.Linear(WIDTH, LABELS)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Returns logits (batch, sequence, labels) of int64 token ids (batch, sequence); all tokens are of segment 0."""
        x = self.token(ids) + self.position.weight[: ids.shape[1]] + self.segment.weight[0]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x)
        logits: torch.Tensor = self.classifier(x)
        return logits
