"""A small residual network that reads handwritten digits, trained in seconds on those of scikit-learn."""

from __future__ import annotations

import importlib

import torch
from torch import nn
from torch.nn import functional as F

# Of the 1797 images; the others train, and in batches of the same shape calibrate.
TEST = 500
WIDTH, EPOCHS, TRAINING_BATCH = 16, 8, 64


class Digits(nn.Module):
    """Convolution, batch norm, relu; a residual block; mean over the image; one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(1, WIDTH)
        self.first = _conv(WIDTH, WIDTH)
        self.second = _conv(WIDTH, WIDTH)
        self.down = _conv(WIDTH, 2 * WIDTH, stride=2)
        self.head = nn.Linear(2 * WIDTH, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns logits (batch, 10) of images (batch, 1, 8, 8) with values from 0 to 1."""
        x = F.relu(self.stem(x))
        x = F.relu(x + self.second(F.relu(self.first(x))))
        x = F.relu(self.down(x))
        logits: torch.Tensor = self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs))


def _images() -> tuple[torch.Tensor, torch.Tensor]:
    """Returns all images and labels, shuffled the same way every time: the data set is ordered by writer."""
    images, labels = importlib.import_module("sklearn.datasets").load_digits(return_X_y=True)  # peers lack it
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(images).float().div(16).view(-1, 1, 8, 8)[order], torch.from_numpy(labels)[order]


def train(model: nn.Module) -> None:
    """Trains with Adam, its rate falling to zero; the same weights every time on the same machine."""
    images, labels = (values[TEST:] for values in _images())
    steps = EPOCHS * -(-len(images) // TRAINING_BATCH)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(images)).split(TRAINING_BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(images[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()


def example() -> torch.Tensor:
    """Returns the images that were not trained on."""
    return _images()[0][:TEST]


def calibration() -> list[torch.Tensor]:
    """Returns images that were trained on, in batches as large as the test's."""
    batches = _images()[0][TEST:].split(TEST)
    return [batch for batch in batches if len(batch) == TEST]


def top_1(output: torch.Tensor, reference: torch.Tensor) -> float:
    """Returns the share of test images whose largest logit is that of their label."""
    return float((output.argmax(1) == _images()[1][:TEST]).double().mean())
