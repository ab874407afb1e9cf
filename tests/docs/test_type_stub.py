"""The type stub of the extension module lists exactly the functions that it has, with their parameters."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from torch_ipex_device import _C

STUB = Path(__file__).resolve().parents[2] / "torch_ipex_device" / "_C.pyi"
DECLARED = {node.name: node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.FunctionDef)}


def test_stub_and_module_have_the_same_functions() -> None:
    assert sorted(DECLARED) == sorted(name for name in dir(_C) if not name.startswith("_"))


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_parameters_are_those_of_the_binding(name: str) -> None:
    signature = re.match(rf"{name}\((.*)\) -> ", getattr(_C, name).__doc__.splitlines()[0])
    assert signature is not None
    bound = re.findall(r"(\w+): ", signature.group(1))
    assert [argument.arg for argument in DECLARED[name].args.args] == bound
