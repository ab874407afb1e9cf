"""The generator of the device. Equal seeds give the numbers that the CPU's generator gives."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from torch_ipex_device import _C

from ._utils import Device, _get_device_index

default_generators: tuple[torch.Generator, ...] = (_C.default_generator(),)
"""The default generator of every device, that is, of one."""


def get_rng_state(device: Device = "ipex") -> Tensor:
    """Returns the state of the device's generator.

    Args:
        device: the device.

    Returns:
        A CPU tensor of uint8 that `set_rng_state` takes.

    Raises:
        RuntimeError: E202, invalid index.
        ValueError: E103, not an ipex device.
    """
    return _generator(device).get_state()


def get_rng_state_all() -> list[Tensor]:
    """Returns the state of every device's generator, as `get_rng_state` does for one."""
    return [generator.get_state() for generator in default_generators]


def set_rng_state(new_state: Tensor, device: Device = "ipex") -> None:
    """Sets the state of the device's generator.

    Args:
        new_state: CPU tensor of uint8 from `get_rng_state`.
        device: the device.

    Raises:
        RuntimeError: E202, invalid index; or the state is not one of this generator, which then keeps its own.
        ValueError: E103, not an ipex device.
        TypeError: the state is not a CPU tensor of uint8.
    """
    _generator(device).set_state(new_state)


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Sets the state of every device's generator, in order; see `set_rng_state`."""
    for index, state in enumerate(new_states):
        set_rng_state(state, index)


def manual_seed(seed: int) -> None:
    """Seeds the generator of the device.

    Args:
        seed: 64-bit integer; a negative one counts from 2**64.
    """
    default_generators[0].manual_seed(int(seed))


def manual_seed_all(seed: int) -> None:
    """Seeds the generator of every device; see `manual_seed`."""
    manual_seed(seed)


def seed() -> int:
    """Seeds the generator of the device with a random number.

    Returns:
        The seed.
    """
    return default_generators[0].seed()


def seed_all() -> None:
    """Seeds the generator of every device with a random number."""
    seed()


def initial_seed() -> int:
    """Returns the seed that the generator of the device was given last."""
    return default_generators[0].initial_seed()


def _generator(device: Device) -> torch.Generator:
    return default_generators[max(_get_device_index(device, optional=True), 0)]
