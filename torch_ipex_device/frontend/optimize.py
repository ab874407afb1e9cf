"""`ipex.optimize`: prepares a model, and in training its optimizer, for fast computation on CPU."""

from __future__ import annotations

from typing import Any, TypeVar, overload

import torch
from torch import nn

from .config import resolve

_Model = TypeVar("_Model", bound=nn.Module)


@overload
def optimize(
    model: _Model,
    dtype: torch.dtype | None = None,
    optimizer: None = None,
    level: str = "O1",
    inplace: bool = False,
    conv_bn_folding: bool | None = None,
    linear_bn_folding: bool | None = None,
    weights_prepack: bool | None = None,
    replace_dropout_with_identity: bool | None = None,
    optimize_lstm: bool | None = None,
    split_master_weight_for_bf16: bool | None = None,
    fuse_update_step: bool | None = None,
    auto_kernel_selection: bool | None = None,
    sample_input: Any = None,
    graph_mode: bool | None = None,
    concat_linear: bool | None = None,
) -> _Model: ...
@overload
def optimize(
    model: _Model,
    dtype: torch.dtype | None = None,
    *,
    optimizer: torch.optim.Optimizer,
    level: str = "O1",
    inplace: bool = False,
    conv_bn_folding: bool | None = None,
    linear_bn_folding: bool | None = None,
    weights_prepack: bool | None = None,
    replace_dropout_with_identity: bool | None = None,
    optimize_lstm: bool | None = None,
    split_master_weight_for_bf16: bool | None = None,
    fuse_update_step: bool | None = None,
    auto_kernel_selection: bool | None = None,
    sample_input: Any = None,
    graph_mode: bool | None = None,
    concat_linear: bool | None = None,
) -> tuple[_Model, torch.optim.Optimizer]: ...
@overload
def optimize(
    model: _Model,
    dtype: torch.dtype | None,
    optimizer: torch.optim.Optimizer,
    level: str = "O1",
    inplace: bool = False,
    conv_bn_folding: bool | None = None,
    linear_bn_folding: bool | None = None,
    weights_prepack: bool | None = None,
    replace_dropout_with_identity: bool | None = None,
    optimize_lstm: bool | None = None,
    split_master_weight_for_bf16: bool | None = None,
    fuse_update_step: bool | None = None,
    auto_kernel_selection: bool | None = None,
    sample_input: Any = None,
    graph_mode: bool | None = None,
    concat_linear: bool | None = None,
) -> tuple[_Model, torch.optim.Optimizer]: ...
def optimize(
    model: _Model,
    dtype: torch.dtype | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    level: str = "O1",
    inplace: bool = False,
    conv_bn_folding: bool | None = None,
    linear_bn_folding: bool | None = None,
    weights_prepack: bool | None = None,
    replace_dropout_with_identity: bool | None = None,
    optimize_lstm: bool | None = None,
    split_master_weight_for_bf16: bool | None = None,
    fuse_update_step: bool | None = None,
    auto_kernel_selection: bool | None = None,
    sample_input: Any = None,
    graph_mode: bool | None = None,
    concat_linear: bool | None = None,
) -> _Model | tuple[_Model, torch.optim.Optimizer]:
    """Returns a model that computes the same on CPU, faster.

    Level O1 folds batch norms into the layers before them, removes dropout, gives convolutions, linear layers, LSTMs, layer
    norms and GELUs native operators, which keep packed weights, and puts weights of convolutions in channels-last order. In
    training the optimizer gets fused steps. Knobs that are not None override the level; docs/optimize.md has their table.

    The model keeps its class, its methods, and the names and float32 values of its `state_dict()`: a checkpoint of the
    given model loads into the returned one and the other way round.

    Args:
        model: in evaluation mode, or in training mode with `optimizer`. A `torch.jit.ScriptModule` is returned untouched.
        dtype: bfloat16 or float16 casts the parameters of layers that multiply, and of embeddings. Call the model inside of
            `torch.autocast("cpu", dtype)`.
        optimizer: of the model in training mode. If it has parameters that are cast, it keeps float32 master weights.
        level: "O0" does what knobs say only, "O1" also what the table says.
        inplace: change and return `model` itself; otherwise a copy, and `model` and `optimizer` stay as they are.
        conv_bn_folding: fold batch norms into the convolutions before them (inference).
        linear_bn_folding: fold `BatchNorm1d` into the linear layers before them (inference).
        weights_prepack: native operators with packed weights for convolutions, linear layers, layer norms and GELUs.
        replace_dropout_with_identity: dropouts become `nn.Identity` (inference).
        optimize_lstm: native operators for `nn.LSTM`.
        split_master_weight_for_bf16: keep 16 bits beside bfloat16 parameters instead of float32 copies (training).
        fuse_update_step: use fused steps of optimizers that have one (training).
        auto_kernel_selection: accepted; operators always choose kernels by shape.
        sample_input: a tensor, a tuple of arguments or a dict of keyword arguments, to pack weights now instead of at the
            first call.
        graph_mode: capture graphs and run these (inference).
        concat_linear: compute linear layers that read the same tensor at once (inference).

    Returns:
        The model, or the model and its optimizer if one was given.

    Raises:
        TypeError: E101, an argument of another type.
        ValueError: E103, another level or dtype, or an optimizer that cannot train master weights. E503, training mode
            without optimizer, evaluation mode with one, or an optimizer of another model.

    Warns:
        UserWarning: parameters that are not float32, a graph that cannot be captured, a sample that the model does not take.

    Source: the archived extension's function of this name.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU()).eval()
        >>> optimized = ipex.optimize(model)
        >>> x = torch.randn(1, 3, 16, 16)
        >>> with torch.no_grad():
        ...     torch.allclose(optimized(x), model(x), atol=1e-5)
        True
        >>> list(optimized.state_dict()) == list(model.state_dict())
        True
    """
    knobs = {
        "auto_kernel_selection": auto_kernel_selection,
        "concat_linear": concat_linear,
        "conv_bn_folding": conv_bn_folding,
        "fuse_update_step": fuse_update_step,
        "graph_mode": graph_mode,
        "linear_bn_folding": linear_bn_folding,
        "optimize_lstm": optimize_lstm,
        "replace_dropout_with_identity": replace_dropout_with_identity,
        "split_master_weight_for_bf16": split_master_weight_for_bf16,
        "weights_prepack": weights_prepack,
    }
    config = resolve(level, knobs, dtype=dtype, inplace=inplace)
    from . import pipeline  # not needed by programs that only import the package

    return pipeline.run(model, optimizer, config, sample_input)
