"""Linear layers with an activation in the same kernel: `LinearRelu`, `IPEXLinearEltwise`, `IpexMLPLinear`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from torch_ipex_device.core.errors import error

_ACTIVATIONS = ("relu", "sigmoid")


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None, activation: str) -> Tensor:
    return torch.ops.torch_ipex.linear(input, weight, bias, None, activation)


def _check_activation(where: str, activation: str | None, accepted: tuple[str | None, ...]) -> None:
    if activation not in accepted:
        names = ", ".join(repr(each) for each in accepted)
        raise error("E103", where, f"got {activation!r} as activation; accepted: {names}")


class LinearRelu(nn.Linear):
    """`torch.nn.Linear` followed by ReLU. Arguments and `state_dict()` are those of `torch.nn.Linear`.

    Source: the archived device API's module of this name, which had no gradient.

    Example:
        >>> ipex.nn.LinearRelu(8, 4)(torch.ones(2, 8)).min().item() >= 0
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Returns `relu(input @ weight.T + bias)`, [..., out_features].

        Args:
            input: [..., in_features].
        """
        return _linear(input, self.weight, self.bias, "relu")


class IPEXLinearEltwise(nn.Module):
    """A linear layer followed by an activation.

    Args:
        ipex_linear_module: the layer, also one that `ipex.optimize` made.
        eltwise: "relu" or "sigmoid".

    Attributes:
        m: the layer.
        eltwise: as given.

    Raises:
        TypeError: E101, not a linear layer.
        ValueError: E103, another activation.

    Source: the archived extension's module of this name.

    Example:
        >>> layer = ipex.nn.modules.IPEXLinearEltwise(torch.nn.Linear(8, 4), "sigmoid")
        >>> layer(torch.ones(2, 8)).shape
        torch.Size([2, 4])
    """

    def __init__(self, ipex_linear_module: nn.Linear, eltwise: str = "relu") -> None:
        super().__init__()
        if not isinstance(ipex_linear_module, nn.Linear):
            raise error(
                "E101", "IPEXLinearEltwise", f"got {type(ipex_linear_module).__name__}; accepted: torch.nn.Linear"
            )
        _check_activation("IPEXLinearEltwise", eltwise, _ACTIVATIONS)
        self.m = ipex_linear_module
        self.out_features = ipex_linear_module.out_features
        self.eltwise = eltwise

    def forward(self, x: Tensor) -> Tensor:
        """Returns the activated result of the layer, [..., out_features].

        Args:
            x: [..., in_features].
        """
        return _linear(x, self.m.weight, self.m.bias, self.eltwise)

    def extra_repr(self) -> str:
        return f"eltwise={self.eltwise}"


class IpexMLPLinear(nn.Module):
    """A linear layer of a multilayer perceptron, with its activation.

    The archived module passed tensors on in blocks, 4-dimensional. Here layouts are the device's own business: tensors are
    [N, C] before and [N, K] after every layer, so chains of layers need no change.

    Args:
        C: inputs.
        K: outputs.
        bias: whether there is one.
        act_type: None, "relu" or "sigmoid".
        output_stays_blocked: without effect.
        default_blocking: without effect.

    Raises:
        ValueError: E103, another activation.

    Source: the archived device API's module of this name.

    Example:
        >>> ipex.nn.modules.IpexMLPLinear(8, 4, act_type="relu")(torch.ones(2, 8)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        C: int,
        K: int,
        bias: bool = True,
        act_type: str | None = None,
        output_stays_blocked: bool = True,
        default_blocking: int | None = None,
    ) -> None:
        super().__init__()
        self.C = C
        self.K = K
        self.weight = nn.Parameter(torch.empty(K, C))
        self.bias = nn.Parameter(torch.empty(K)) if bias else None
        self.set_activation_type(act_type)
        self.reset_parameters()

    def set_activation_type(self, act_type: str | None) -> None:
        """Sets the activation: None, "relu" or "sigmoid".

        Args:
            act_type: the activation.

        Raises:
            ValueError: E103, another activation.
        """
        _check_activation("IpexMLPLinear", act_type, (None, *_ACTIVATIONS))
        self.act_type = act_type

    def reset_parameters(self) -> None:
        """Draws weight and bias as `torch.nn.Linear` does."""
        nn.Linear.reset_parameters(self)  # type: ignore[arg-type] # needs weight and bias only

    def forward(self, input: Tensor) -> Tensor:
        """Returns [N, K].

        Args:
            input: [N, C].
        """
        return _linear(input, self.weight, self.bias, self.act_type or "")

    def extra_repr(self) -> str:
        return f"C={self.C}, K={self.K}, bias={self.bias is not None}, act_type={self.act_type}"
