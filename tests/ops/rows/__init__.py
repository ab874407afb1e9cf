"""One file per family of native operators; ROWS is all of them, sorted by operator."""

from __future__ import annotations

import importlib
import pkgutil

from ..row import Row

ROWS: tuple[Row, ...] = tuple(
    sorted(
        (
            row
            for module in pkgutil.iter_modules(__path__)
            for row in importlib.import_module(f".{module.name}", __name__).ROWS
        ),
        key=lambda row: row.operator,
    )
)
