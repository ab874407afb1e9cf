"""The rows of the tables of archived names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """One public name of an archived package.

    Attributes:
        name: the name below the package, dotted.
        here: where it is below torch_ipex_device, when not under the same name.
        instead: what to use while torch_ipex_device has no such name; ends a sentence.
        differs: what is different from the archived one, for the documentation.
    """

    name: str
    here: str = ""
    instead: str = ""
    differs: str = ""

    @property
    def path(self) -> str:
        """Where to look for it below torch_ipex_device."""
        return self.here or self.name


Table = Mapping[str, Name]


def table(rows: Iterable[Name]) -> Table:
    """Returns rows by name."""
    return {row.name: row for row in rows}


def absent(parent: str, names: str, instead: str) -> list[Name]:
    """Returns rows with the same text.

    Args:
        parent: dotted prefix.
        names: separated by spaces.
        instead: the text.
    """
    return [Name(f"{parent}.{name}", instead=instead) for name in names.split()]
