"""Which parameters are cast to low precision, and the cast for inference."""

from __future__ import annotations

import torch
from torch import nn

from torch_ipex_device.frontend.folded_convolution import FOLDED
from torch_ipex_device.frontend.kinds import has_weight, is_plain, stock_class
from torch_ipex_device.frontend.notice import warn
from torch_ipex_device.frontend.originals import keep_originals, originals_of

_INFERENCE = (
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Linear,
    nn.ParameterList,
)
_TRAINING = (*_INFERENCE, nn.Conv1d, nn.EmbeddingBag)
_BFLOAT16 = (nn.LSTM,)  # PyTorch's CPU kernels of LSTMs do not take float16


def castable(model: nn.Module, dtype: torch.dtype, training: bool) -> list[nn.Module]:
    """Returns the modules whose parameters may be cast.

    A module is cast completely or not at all, and only together with all modules that share a parameter with it. Batch norm,
    layer norm, embeddings, subclasses of the classes above, and modules whose parameters something else computes are never
    cast. An embedding begins the sum that runs through a transformer: in bfloat16 the whole sum would be, which costs 1 to 6 dB
    against `torch.autocast`, and its float32 values are kept for `state_dict` anyway.

    Args:
        model: the model.
        dtype: bfloat16 or float16.
        training: whether the rules of training apply, which cast `nn.Conv1d` and `nn.EmbeddingBag` too.

    Warns:
        UserWarning: parameters that are neither float32 nor `dtype` stay as they are.
    """
    classes = (*(_TRAINING if training else _INFERENCE), *(_BFLOAT16 if dtype == torch.bfloat16 else ()))
    chosen = {module for module in model.modules() if stock_class(module) in classes and _is_whole(module)}
    _warn(chosen, dtype)
    chosen = {module for module in chosen if all(_is_float32(each, module) for each in _parameters(module))}
    while True:
        taken = {id(p) for module in model.modules() if module not in chosen for p in _parameters(module)}
        stays = {module for module in chosen if any(id(each) in taken for each in _parameters(module))}
        if not stays:
            break
        chosen -= stays
    return [module for module in model.modules() if module in chosen]


def run(model: nn.Module, dtype: torch.dtype) -> None:
    """Casts the parameters of a model for inference; the float32 values are kept for `state_dict`.

    Args:
        model: the model, changed in place.
        dtype: bfloat16 or float16.
    """
    modules = castable(model, dtype, training=False)
    keep_originals(modules)
    kept = [(module, originals) for module in modules if (originals := originals_of(module)) is not None]
    kept = [(m, o) for m, o in kept if o.dtype != dtype or any(each.dtype != dtype for each in _parameters(m))]
    for module, originals in kept:
        originals.settle(module)
    for module, originals in kept:
        originals.dtype = dtype
        originals.replace(module)
        if originals.batch_norm is not None:
            module.__class__ = FOLDED.get(type(module), type(module))


def _parameters(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module._parameters.values() if parameter is not None]


def _is_whole(module: nn.Module) -> bool:
    if isinstance(module, nn.ParameterList | nn.LSTM):
        return is_plain(module) and bool(_parameters(module))
    return has_weight(module)


def _is_float32(parameter: nn.Parameter, module: nn.Module) -> bool:
    originals = originals_of(module)
    return parameter.dtype == torch.float32 or (originals is not None and originals.dtype is not None)


def _warn(modules: set[nn.Module], dtype: torch.dtype) -> None:
    found = {
        parameter.dtype for module in modules for parameter in _parameters(module) if not _is_float32(parameter, module)
    }
    other = sorted(str(each) for each in found - {dtype} if each.is_floating_point or each.is_complex)
    if other:
        warn(
            f"optimize: parameters of {', '.join(other)} stay as they are; only torch.float32 is cast to {dtype}. "
            "Call model.float() first.",
        )
