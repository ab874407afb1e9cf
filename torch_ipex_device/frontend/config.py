"""What `ipex.optimize` was asked to do: the table of knobs and levels, and the configuration that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from torch_ipex_device.core.errors import error

WHERE = "optimize"


@dataclass(frozen=True)
class Knob:
    """One row of the table.

    Attributes:
        name: as in the signature of `optimize`.
        O0: what level O0 sets.
        O1: what level O1 sets.
        applies: "inference", "training", or "both"; elsewhere the knob has no effect.
    """

    name: str
    O0: bool
    O1: bool
    applies: str


# fmt: off
KNOBS = (
    Knob("auto_kernel_selection",         False, False, "both"),
    Knob("concat_linear",                 False, False, "inference"),
    Knob("conv_bn_folding",               False, True,  "inference"),
    Knob("fuse_update_step",              False, True,  "training"),
    Knob("graph_mode",                    False, False, "inference"),
    Knob("linear_bn_folding",             False, True,  "inference"),
    Knob("optimize_lstm",                 False, True,  "both"),
    Knob("replace_dropout_with_identity", False, True,  "inference"),
    Knob("split_master_weight_for_bf16",  False, True,  "training"),
    Knob("weights_prepack",               False, True,  "both"),
)
# fmt: on
LEVELS = ("O0", "O1")
LOW_PRECISIONS = (torch.bfloat16, torch.float16)
_DTYPES = (torch.float32, *LOW_PRECISIONS)


@dataclass(frozen=True)
class OptimizeConfig:
    """A complete configuration: no knob is None any more.

    Attributes:
        level: "O0" or "O1".
        dtype: what parameters are cast to; float32 and None cast nothing.
        inplace: whether the model itself is changed.
        explicit: names of the knobs that the user set.

    The other attributes are the knobs of `KNOBS`; `resolve` fills them in.

    Raises:
        TypeError: E101, a value of another type.
        ValueError: E103, another level or dtype.

    Example:
        >>> from torch_ipex_device.frontend.config import resolve
        >>> resolve("O0", {"weights_prepack": True}).weights_prepack
        True
    """

    auto_kernel_selection: bool
    concat_linear: bool
    conv_bn_folding: bool
    fuse_update_step: bool
    graph_mode: bool
    linear_bn_folding: bool
    optimize_lstm: bool
    replace_dropout_with_identity: bool
    split_master_weight_for_bf16: bool
    weights_prepack: bool
    level: str = "O1"
    dtype: torch.dtype | None = None
    inplace: bool = False
    explicit: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _check_level(self.level)
        dtype: object = self.dtype
        if dtype is not None and not isinstance(dtype, torch.dtype):
            raise error("E101", WHERE, f"got {type(dtype).__name__} as dtype; accepted: a torch.dtype or None")
        if dtype is not None and dtype not in _DTYPES:
            accepted = ", ".join(map(str, _DTYPES))
            raise error("E103", WHERE, f"got dtype={self.dtype}; accepted: {accepted} or None")
        for name in ("inplace", *(knob.name for knob in KNOBS)):
            if not isinstance(getattr(self, name), bool):
                accepted = "bool" if name == "inplace" else "bool, or None for what the level says"
                raise error("E101", WHERE, f"got {type(getattr(self, name)).__name__} as {name}; accepted: {accepted}")

    @property
    def low_precision(self) -> torch.dtype | None:
        """`dtype` if parameters are cast to it, otherwise None."""
        return self.dtype if self.dtype in LOW_PRECISIONS else None


def resolve(
    level: str, knobs: Mapping[str, bool | None], *, dtype: torch.dtype | None = None, inplace: bool = False
) -> OptimizeConfig:
    """Returns the configuration of a level, changed by what the user set.

    Args:
        level: "O0" or "O1".
        knobs: values by name; None, or no entry, is what the level says.
        dtype: as in `OptimizeConfig`.
        inplace: as in `OptimizeConfig`.

    Raises:
        TypeError: E101, a value of another type.
        ValueError: E103, another level or dtype.
    """
    _check_level(level)
    values = {knob.name: getattr(knob, level) for knob in KNOBS}
    explicit = {name: value for name, value in knobs.items() if value is not None}
    return OptimizeConfig(
        **{**values, **explicit}, level=level, dtype=dtype, inplace=inplace, explicit=frozenset(explicit)
    )


def _check_level(level: object) -> None:
    if not isinstance(level, str):
        raise error("E101", WHERE, f"got {type(level).__name__} as level; accepted: {', '.join(LEVELS)}")
    if level not in LEVELS:
        raise error("E103", WHERE, f"got level={level!r}; accepted: {', '.join(LEVELS)}")
