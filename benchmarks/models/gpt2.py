"""A decoder of GPT-2 small's sizes, in plain PyTorch (Radford et al., 2019): causal attention, tanh gelu, tied head."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY, WIDTH, HEADS, LAYERS, POSITIONS = 50257, 768, 12, 12, 1024


class Block(nn.Module):
    """Causal self-attention and feed-forward network, each on normalised input with a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.merge = nn.Linear(WIDTH, WIDTH)
        self.feed_forward_norm = nn.LayerNorm(WIDTH)
        self.expand = nn.Linear(WIDTH, 4 * WIDTH)
        self.contract = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the same shape as x, (batch, sequence, width)."""
        batch, length, _ = x.shape
        query, key, value = (
            part.view(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)
            for part in self.query_key_value(self.attention_norm(x)).split(WIDTH, dim=2)
        )
        attention = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.merge(attention.transpose(1, 2).reshape(batch, length, WIDTH))
        hidden = F.gelu(self.expand(self.feed_forward_norm(x)), approximate="tanh")
        result: torch.Tensor = x + self.contract(hidden)
        return result


class Gpt2(nn.Module):
    """Token and position embeddings, 12 blocks, and the embedding again as the layer that scores the next token."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, WIDTH)
        self.position = nn.Embedding(POSITIONS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Returns logits (batch, sequence, vocabulary) of int64 token ids (batch, sequence)."""
        x = self.token(ids) + self.position.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.token.weight)
