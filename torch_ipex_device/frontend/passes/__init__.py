"""The passes of `ipex.optimize`, one per file; `pipeline.py` says in which order they run."""

from . import (
    channels_last,
    concat_linear,
    conv_bn_folding,
    dropout,
    dtype,
    graph_mode,
    linear_bn_folding,
    lstm,
    master_weights,
    native_modules,
    weights_prepack,
)

__all__ = [
    "channels_last",
    "concat_linear",
    "conv_bn_folding",
    "dropout",
    "dtype",
    "graph_mode",
    "linear_bn_folding",
    "lstm",
    "master_weights",
    "native_modules",
    "weights_prepack",
]
