"""Refuses to run when the original extension is installed too: the files of the two would be mixed."""

from __future__ import annotations

import importlib.metadata

ORIGINALS = ("intel-extension-for-pytorch", "intel-pytorch-extension", "torch-ipex")


def check_no_original_installed() -> None:
    """Does nothing unless a distribution of the original extension is installed beside this one.

    Raises:
        ImportError: one is; the text names it and the two commands that put things right.
    """
    for name in ORIGINALS:
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        raise ImportError(
            f"the original extension (distribution {name}) is installed beside torch-ipex-device-compat and their files are"
            f" mixed; run: pip uninstall {name} && pip install --force-reinstall torch-ipex-device-compat"
        )
