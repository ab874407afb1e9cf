"""A sentence encoder with real weights in plain PyTorch: all-MiniLM-L6-v2, from the package that tests/minilm.py reads."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from .bert import VOCABULARY, Encoder

__all__ = ["LENGTH", "SENTENCES", "VOCABULARY", "MiniLm", "calibration", "example", "load", "rank_correlation"]

SOURCE = Path(__file__).resolve().parents[2] / "tests" / "minilm.py"
WIDTH, HEADS, LAYERS = 384, 12, 6
# Tokens of a sentence, with padding; the longest has 13. SENTENCES is how many tests/minilm.py has.
LENGTH, PADDING, SENTENCES = 16, 0, 10
# What the pieces of a layer are called in the weights of the original.
NAMES = {
    "embeddings.word_embeddings": "token",
    "embeddings.position_embeddings": "position",
    "embeddings.token_type_embeddings": "segment",
    "embeddings.LayerNorm": "norm",
    "encoder.layer": "layers",
    "attention.self.": "",
    "attention.output.dense": "merge",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "expand",
    "output.dense": "contract",
    "output.LayerNorm": "output_norm",
}
# None of them is among the sentences that are compared.
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
    "The actor forgot his lines twice.",
    "This compiler rejects programs with unused variables.",
    "She wrote her first novel at the age of nineteen.",
    "The goalkeeper saved a penalty in the last minute.",
    "Bees find their way back by the position of the sun.",
    "The meeting starts at ten and ends before lunch.",
    "An old oak stands behind the church.",
    "The recipe asks for butter, flour and three eggs.",
    "Many voters decided on the day of the election.",
    "The engine stopped because the tank was empty.",
    "He learned to play chess from his grandfather.",
    "The library lends books, films and musical instruments.",
    "Prices of electricity rise in winter.",
    "The satellite sends pictures of the coast every hour.",
    "Nobody answered the phone in the office.",
    "The students measured how fast the ball fell.",
    "A ferry crosses the lake four times a day.",
    "The judge asked the witness to repeat her answer.",
    "Their flight was delayed by fog.",
    "Cats sleep for most of the day.",
    "The orchestra played a symphony by a young composer.",
    "How do I change the password of my account?",
    "The castle was built on a rock above the valley.",
    "Is there a pharmacy close to the hotel?",
    "The factory makes parts for electric cars.",
    "Rain is expected in the north tomorrow.",
    "The teacher explained fractions with a cake.",
    "He repaired the old radio in an afternoon.",
    "The company hired forty people this year.",
    "Please send the report before Friday.",
    "The dog waited at the door until evening.",
)


class MiniLm(Encoder):
    """Six layers of width 384; the mean of the tokens of a sentence, as a unit vector."""

    def __init__(self) -> None:
        super().__init__(WIDTH, HEADS, LAYERS)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Returns unit vectors (sentences, width) of int64 token ids (sentences, length); id 0 is padding."""
        words = ids != PADDING
        states = self.states(ids, words[:, None, None, :])
        weight = words.unsqueeze(-1).to(states.dtype)
        return F.normalize((states * weight).sum(1) / weight.sum(1))


@cache
def original() -> Any:
    """Returns the encoder of tests/minilm.py, which needs transformers and the package with the weights."""
    return runpy.run_path(str(SOURCE))["Encoder"]()


def load(model: nn.Module) -> None:
    """Gives the model the weights of the original, all but those behind its last layer, which embeddings do not use."""
    weights = {}
    for name, weight in original().model.state_dict().items():
        for theirs, ours in NAMES.items():
            name = name.replace(theirs, ours)
        weights[name] = weight
    model.load_state_dict({name: weights[name] for name in model.state_dict()})


def example() -> torch.Tensor:
    """Returns the token ids of the sentences that are compared."""
    return _ids(runpy.run_path(str(SOURCE))["SENTENCES"])


def calibration() -> list[torch.Tensor]:
    """Returns the token ids of other sentences, in batches as large as that of `example`."""
    return list(_ids(CALIBRATION).split(SENTENCES))


def _ids(sentences: tuple[str, ...]) -> torch.Tensor:
    tokens = original().tokens(list(sentences), padding="max_length", max_length=LENGTH, return_tensors="pt")
    ids: torch.Tensor = tokens["input_ids"]
    return ids


def rank_correlation(output: torch.Tensor, reference: torch.Tensor) -> float:
    """Returns Spearman's correlation of the similarities of all pairs of sentences with those in the reference."""
    ranks = torch.stack([_similarities(vectors).argsort().argsort() for vectors in (output, reference)])
    return float(torch.corrcoef(ranks.double())[0, 1])


def _similarities(vectors: torch.Tensor) -> torch.Tensor:
    pairs = torch.triu_indices(len(vectors), len(vectors), offset=1)
    return (vectors.double() @ vectors.double().T)[pairs[0], pairs[1]]
