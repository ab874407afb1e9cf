"""Runs a program with one patch left out, to show what it is for."""

from __future__ import annotations

from device.programs import run_program


def run_without(patch: str, source: str) -> str:
    """Returns what the program printed in a process in which `patch` was not applied."""
    return run_program(source, _TORCH_IPEX_DEVICE_SKIP_PATCHES=patch)
