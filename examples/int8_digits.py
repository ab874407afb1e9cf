"""INT8 step by step: train a small network on handwritten digits, calibrate, save, edit the recipe, infer, report.

Usage: python examples/int8_digits.py
Needs scikit-learn, which carries the images.
"""

# mypy: disable-error-code="import-not-found,import-untyped"
from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import torch_ipex_device as ipex

TESTED = 500  # of 1797 images; the others train and calibrate


class Digits(nn.Module):
    """Reads images [batch, 1, 8, 8] of digits; returns logits [batch, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
        self.pool = nn.MaxPool2d(2)
        self.wide = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.head = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        x = self.pool(F.relu(x + self.body(x)))
        x = F.adaptive_avg_pool2d(self.wide(x), 1).flatten(1)
        logits: Tensor = self.head(x)
        return logits


def images() -> tuple[Tensor, Tensor]:
    """Returns all images, with values from 0 to 1, and labels, shuffled the same way every time."""
    values, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(values).float().div(16).view(-1, 1, 8, 8)[order], torch.from_numpy(labels)[order]


def trained(epochs: int = 8) -> Digits:
    """Returns the network after training on the CPU, with the same weights every time, in evaluation mode."""
    torch.manual_seed(0)
    model = Digits()
    inputs, labels = (values[TESTED:] for values in images())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
    return model.eval()


@torch.no_grad()
def top_1(model: nn.Module) -> float:
    """Returns the share of test images that a model on ipex reads right."""
    inputs, labels = (values[:TESTED] for values in images())
    return float((model(inputs.to(ipex.DEVICE)).cpu().argmax(1) == labels).double().mean())


def main() -> None:
    """Runs all steps."""
    model = trained().to(ipex.DEVICE)
    calibration = images()[0][TESTED:].split(TESTED)

    # Calibrate: `conf` gets an entry for each operator, with the ranges of its tensors. No result changes.
    conf = ipex.AmpConf(torch.int8)
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        for batch in calibration:
            model(batch.to(ipex.DEVICE)).cpu()  # a result that nobody reads might not be computed, and so not seen

    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.json"
        conf.save(recipe)

        # Edit: any program or person may. Here the first convolution is to compute in float32.
        entries = json.loads(recipe.read_text())
        entries[0]["quantized"] = False
        recipe.write_text(json.dumps(entries, indent=2))
        edited = ipex.AmpConf(torch.int8, recipe)

    print(f"float32: top-1 {top_1(model):.4f}")
    with ipex.AutoMixPrecision(conf, running_mode="inference"):
        print(f"int8:    top-1 {top_1(model):.4f}")
    with ipex.AutoMixPrecision(edited, running_mode="inference"):
        print(f"edited:  top-1 {top_1(model):.4f}, {entries[0]['module']} in float32")
    print(ipex.int8.report(model, conf, [images()[0][:TESTED]]).table())


if __name__ == "__main__":
    main()
