"""Runs a model once on a sample, so that weights are packed, and graphs captured, before the first real call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from torch_ipex_device.core.errors import error

from .config import WHERE
from .kinds import device_type
from .notice import warn


def arguments_of(sample: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns the positional and the keyword arguments that a sample stands for.

    Args:
        sample: a tensor, a tuple or list of arguments, or a mapping of keyword arguments.

    Raises:
        TypeError: E101, anything else.
    """
    if isinstance(sample, Tensor):
        return (sample,), {}
    if isinstance(sample, tuple | list):
        return tuple(sample), {}
    if isinstance(sample, Mapping) and all(isinstance(key, str) for key in sample):
        return (), dict(sample)
    accepted = "a tensor, a tuple of arguments, or a dict of keyword arguments"
    raise error("E101", WHERE, f"got {type(sample).__name__} as sample_input; accepted: {accepted}")


def run(model: nn.Module, sample: object, dtype: torch.dtype | None) -> None:
    """Calls the model twice in evaluation mode without gradients; random numbers and modes are afterwards as before.

    Args:
        model: the optimised model.
        sample: as in `arguments_of`.
        dtype: for autocast; None computes as the model says.
    """
    arguments, keywords = arguments_of(sample)
    modes = [(module, module.training) for module in model.modules()]
    state = torch.get_rng_state()
    try:
        model.eval()
        with (
            torch.no_grad(),
            torch.autocast(device_type(model), dtype=dtype or torch.bfloat16, enabled=dtype is not None),
        ):
            for _ in range(2):  # weights are packed at the second use
                model(*arguments, **keywords)
    except Exception as exception:  # noqa: BLE001 - the user's code; without the sample it is called later anyway
        reason = f"{type(exception).__name__}: {exception}".partition("\n")[0]
        warn(
            f"optimize: the model failed on sample_input ({reason}), so weights are packed at the first call instead; "
            "give arguments that the model takes",
        )
    finally:
        for module, training in modes:
            module.training = training
        torch.set_rng_state(state)
