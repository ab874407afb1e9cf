"""A language model on a two-layer LSTM: embedding, recurrence, one linear layer that scores the next token."""

from __future__ import annotations

import torch
from torch import nn

VOCABULARY, WIDTH, LAYERS, LENGTH = 1000, 512, 2, 64

# Per step and layer four gates, each a matrix product with the input and one with the state; then the head.
GFLOP = 2 * LENGTH * (LAYERS * 4 * WIDTH * (WIDTH + WIDTH) + WIDTH * VOCABULARY) / 1e9


class Lstm(nn.Module):
    """Width 512 throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, WIDTH)
        self.lstm = nn.LSTM(WIDTH, WIDTH, num_layers=LAYERS, batch_first=True)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Returns logits (batch, sequence, vocabulary) of int64 token ids (batch, sequence)."""
        states, _ = self.lstm(self.token(ids))
        logits: torch.Tensor = self.head(states)
        return logits
