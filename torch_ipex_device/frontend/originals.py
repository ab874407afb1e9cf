"""Keeps `state_dict` and `load_state_dict` of an optimised model those of the model that the user gave.

A module whose parameters were folded or cast has an `Originals` in its attribute `_ipex_originals`, and three hooks that are
functions of this file, so copies and pickles of the module work like the module.

    parameter = cast(fold(original))        fold and cast are each optional

This is checked bit for bit before originals are shown: whoever wrote the parameter itself since, for instance an optimizer,
finds what he wrote in the state_dict.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from torch_ipex_device.optim.front_end import masters_of
from torch_ipex_device.optim.split_float import round_to_bfloat16

from .folding import BatchNorm, fold, neutralise
from .original import Original

_ATTRIBUTE = "_ipex_originals"
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Originals:
    """The originals of one module, for all of its parameters or for none.

    Attributes:
        entries: by the names of the parameters.
        hidden: names of parameters that the user's model does not have: the bias that a batch norm became.
        batch_norm: the batch norm that was folded into weight and bias, or None.
        dtype: what the parameters were cast to, or None.
    """

    def __init__(self, module: nn.Module) -> None:
        self.entries: dict[str, Original] = {}
        self.hidden: frozenset[str] = frozenset()
        self.batch_norm: BatchNorm | None = None
        self.dtype: torch.dtype | None = None
        # The handles are kept so that their numbers stay taken in a process that unpickles the module.
        self._handles = [
            module.register_state_dict_post_hook(_show),
            module.register_load_state_dict_pre_hook(_before_load),
            module.register_load_state_dict_post_hook(_after_load),
        ]

    def derive(self) -> dict[str, Tensor]:
        """Returns what the originals make of the parameters; those whose master an optimizer keeps are its own affair."""
        values = {name: entry.value().detach() for name, entry in self.entries.items() if not entry.is_trained}
        if self.batch_norm is not None:
            values["weight"], values["bias"] = fold(values["weight"], values["bias"], self.batch_norm)
        if self.dtype is not None:
            # What a batch norm adds stays float32.
            kept = ("bias",) if self.batch_norm is not None else ()
            values = {name: value if name in kept else value.to(self.dtype) for name, value in values.items()}
        return values

    def replace(self, module: nn.Module) -> None:
        """Gives the parameters of `module` new memory with what the originals make of them. The objects stay."""
        for name, value in self.derive().items():
            parameter = module._parameters[name]
            if parameter is None:
                module._parameters[name] = nn.Parameter(value, requires_grad=self.entries[name].value().requires_grad)
            else:
                if parameter.dtype != value.dtype:
                    parameter.grad = None
                parameter.data = value

    @torch.no_grad()
    def write(self, module: nn.Module) -> None:
        """Writes what the originals make of them into the parameters of `module`."""
        if all(each is None or each.dtype == torch.float32 for each in module._parameters.values()):
            self.dtype = None  # also where somebody took a cast back: `model.float()`
        for name, value in self.derive().items():
            parameter = module._parameters[name]
            assert parameter is not None
            parameter.copy_(value)

    def settle(self, module: nn.Module) -> None:
        """Takes over what somebody wrote to the parameters of `module` themselves, and moves to their device."""
        parameters = {name: parameter for name, parameter in module._parameters.items() if parameter is not None}
        replaced = [
            name
            for name, entry in self.entries.items()
            if name not in parameters or parameters[name].shape != entry.value().shape
        ]
        for name in list(self.entries) if replaced and self.batch_norm is not None else replaced:
            del self.entries[name]  # somebody put another parameter there
        if not self.entries:
            self.batch_norm = None
        for name, entry in self.entries.items():
            entry.move_to(parameters[name].device)
        if self.batch_norm is not None:
            self.batch_norm.to(parameters["weight"].device)
        derived = self.derive()
        written = [name for name, value in derived.items() if not _same_bits(parameters[name], value)]
        if not written:
            return
        if self.batch_norm is not None:
            bias = parameters["bias"].detach().float()
            neutralise(self.batch_norm, bias if self.hidden else None)
            self.entries["bias"].write(torch.zeros_like(bias) if self.hidden else bias)
            self.entries["weight"].write(parameters["weight"].detach())
            return
        for name in written:
            original, parameter = self.entries[name].value().detach(), parameters[name].detach()
            # Elements that nobody wrote keep the bits that the cast dropped.
            unchanged = derived[name].to(parameter.dtype) == parameter
            if self.dtype == torch.bfloat16:  # as an optimizer rounds its master weights
                unchanged |= round_to_bfloat16(original).to(parameter.dtype) == parameter
            self.entries[name].write(torch.where(unchanged, original, parameter.to(original.dtype)))


def originals_of(module: nn.Module) -> Originals | None:
    """Returns the originals of a module, or None if its parameters are the user's."""
    found: Originals | None = vars(module).get(_ATTRIBUTE)
    return found if found is not None and found.entries else None


def keep_originals(modules: Iterable[nn.Module]) -> None:
    """Makes the parameters of modules their originals, where there are none yet. Shared parameters have one original.

    To be called before any of these parameters changes.
    """
    made: dict[int, Original] = {}
    for module in modules:
        found = _made(module)
        if not found.entries:
            found.entries = {
                name: made.setdefault(id(parameter), Original(parameter))
                for name, parameter in module._parameters.items()
                if parameter is not None
            }


def keep_masters(modules: Iterable[nn.Module], optimizer: torch.optim.Optimizer) -> None:
    """Makes the master weights that an optimizer keeps the originals of the parameters that it updates.

    Args:
        modules: any; those without such parameters stay as they are.
        optimizer: what `prepare_optimizer` returned.
    """
    masters = masters_of(optimizer)
    made: dict[int, Original] = {}
    for module in modules:
        parameters = {name: each for name, each in module._parameters.items() if each is not None}
        if not parameters or not all(each in masters for each in parameters.values()):
            continue
        found = _made(module)
        for name, parameter in parameters.items():
            entry = made.setdefault(id(parameter), found.entries.get(name) or Original(parameter))
            entry.train(optimizer, parameter)
            found.entries[name] = entry
            found.dtype = parameter.dtype


def freeze_masters(modules: Iterable[nn.Module]) -> None:
    """Keeps the master weights that optimizers have now as originals; later steps are seen in the parameters only."""
    for module in modules:
        if (found := originals_of(module)) is not None:
            for entry in found.entries.values():
                entry.freeze()


def _made(module: nn.Module) -> Originals:
    found: Originals | None = vars(module).get(_ATTRIBUTE)
    if found is None:
        found = vars(module)[_ATTRIBUTE] = Originals(module)
    return found


def _same_bits(parameter: Tensor, value: Tensor) -> bool:
    if parameter.is_meta:
        return True
    value = value.to(parameter.dtype)
    bits = _BITS[value.element_size()]
    return torch.equal(parameter.detach().view(bits), value.view(bits))


def _show(module: nn.Module, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any]) -> None:
    originals = originals_of(module)
    if originals is None:
        return
    originals.settle(module)
    for name, entry in originals.entries.items():
        parameter = state_dict.pop(prefix + name, None) if name in originals.hidden else state_dict.get(prefix + name)
        if parameter is not None and name not in originals.hidden:
            state_dict[prefix + name] = entry.shown(state_dict, parameter is module._parameters[name])


def _before_load(
    module: nn.Module,
    state_dict: dict[str, Any],
    prefix: str,
    local_metadata: dict[str, Any],
    strict: bool,
    missing_keys: list[str],
    unexpected_keys: list[str],
    error_msgs: list[str],
) -> None:
    """Writes the checkpoint into the originals. PyTorch's code that follows then finds the parameters themselves."""
    originals = originals_of(module)
    if originals is None:
        return
    originals.settle(module)
    for name, entry in originals.entries.items():
        parameter, value = module._parameters[name], state_dict.get(prefix + name)
        assert parameter is not None
        if name in originals.hidden:
            if value is not None and strict:
                unexpected_keys.append(prefix + name)
        elif not isinstance(value, Tensor) or value.shape != parameter.shape:
            continue  # PyTorch's code complains
        else:
            entry.write(value)
        keep = local_metadata.get("assign_to_params_buffers", False)
        state_dict[prefix + name] = parameter if keep else parameter.detach()


def _after_load(module: nn.Module, incompatible_keys: Any) -> None:
    originals = originals_of(module)
    if originals is not None:
        originals.write(module)
