"""A small convolutional network and a small transformer, and shapes of inputs for them."""

from __future__ import annotations

import random

import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 10
WIDTH = 64
TOKENS = 200


class Convolutional(nn.Module):
    """Convolutions with batch norm, a grouped one and a shortcut: [batch, 3, height, width] -> [batch, classes]."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32)
        self.depthwise, self.second = nn.Conv2d(32, 32, 3, padding=1, groups=32), nn.Conv2d(32, 32, 1)
        self.norm2, self.last = nn.BatchNorm2d(32), nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the logits."""
        x = F.relu(self.norm(self.first(x)))
        x = F.relu(self.norm2(self.second(self.depthwise(x))) + x)
        logits: Tensor = self.last(F.max_pool2d(x, 2).mean((2, 3)))
        return logits


class Encoder(nn.Module):
    """Embedding and one layer of a transformer: [batch, length] -> [batch, classes]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.norm1, self.norm2 = nn.Embedding(TOKENS, WIDTH), nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.last = nn.Linear(WIDTH, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        """Returns the logits."""
        x = self.embedding(ids)
        q, k, v = (each.unflatten(-1, (4, -1)).transpose(1, 2) for each in self.qkv(self.norm1(x)).split(WIDTH, dim=-1))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        logits: Tensor = self.last(x.mean(1))
        return logits


NETWORKS: tuple[type[nn.Module], ...] = (Convolutional, Encoder)


def build(network: type[nn.Module]) -> nn.Module:
    """Returns a network on CPU in evaluation mode; its batch norms have statistics that matter."""
    model = network().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.7, 1.4)
    return model


def image_shape(choice: random.Random) -> tuple[int, int, int, int]:
    """Returns a random shape of images, [batch, channels, height, width]."""
    return choice.randint(1, 8), 3, choice.randint(8, 40), choice.randint(8, 40)


def sentence_shape(choice: random.Random) -> tuple[int, int]:
    """Returns a random shape of token ids, [batch, length]."""
    return choice.randint(1, 8), choice.randint(3, 64)


def is_encoder(model: nn.Module) -> bool:
    """Returns whether a model takes token ids."""
    return isinstance(model, Encoder)
