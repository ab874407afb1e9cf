"""The type stub of the extension module lists exactly the functions and classes that it has, with their parameters."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from torch_ipex_device import _C

STUB = Path(__file__).resolve().parents[2] / "torch_ipex_device" / "_C.pyi"
BODY = ast.parse(STUB.read_text()).body
DECLARED = {node.name: node for node in BODY if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in BODY if isinstance(node, ast.ClassDef)}


def test_stub_and_module_have_the_same_names() -> None:
    assert sorted(DECLARED | CLASSES) == sorted(name for name in dir(_C) if not name.startswith("_"))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_class_has_what_the_stub_says(name: str) -> None:
    declared = {node.name for node in CLASSES[name].body if isinstance(node, ast.FunctionDef)}
    bound = {key for key in vars(getattr(_C, name)) if not key.startswith("_")}
    assert {key for key in declared if not key.startswith("_")} == bound


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_parameters_are_those_of_the_binding(name: str) -> None:
    signature = re.match(rf"{name}\((.*)\) -> ", getattr(_C, name).__doc__.splitlines()[0])
    assert signature is not None
    bound = re.findall(r"(\w+): ", signature.group(1))
    assert [argument.arg for argument in DECLARED[name].args.args] == bound
