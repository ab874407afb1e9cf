"""`FrozenBatchNorm2d`: batch normalisation whose statistics and affine parameters are buffers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from torch_ipex_device.core.errors import error
from torch_ipex_device.nn.functional import frozen_batch_norm


class FrozenBatchNorm2d(nn.Module):
    """`BatchNorm2d` that neither trains nor updates its statistics, in training mode either.

    `state_dict()` has `weight`, `bias`, `running_mean` and `running_var`. Checkpoints of `torch.nn.BatchNorm2d` load: their
    `num_batches_tracked` is left out.

    Args:
        num_features: channels, C.
        eps: added to the variance.

    Raises:
        ValueError: E103, a negative number of channels.

    Source: the archived extension's module of this name.

    Example:
        >>> layer = ipex.nn.FrozenBatchNorm2d(3).to("ipex")
        >>> layer(torch.ones(2, 3, 4, 4, device="ipex")).shape
        torch.Size([2, 3, 4, 4])
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        if not num_features >= 0:
            raise error("E103", "FrozenBatchNorm2d", f"got num_features={num_features}; accepted: 0 or more")
        self.num_features = num_features
        self.eps = eps
        self.register_buffer("weight", torch.ones(num_features))
        self.register_buffer("bias", torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, input: Tensor) -> Tensor:
        """Normalises every channel.

        Args:
            input: [N, C, H, W].

        Returns:
            Shape and dtype of `input`.
        """
        return frozen_batch_norm(input, self.weight, self.bias, self.running_mean, self.running_var, self.eps)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        state_dict.pop(f"{prefix}num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"
