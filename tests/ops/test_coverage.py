"""The registry, the rows of the tests, the dispatcher and the documentation name the same operators."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import torch

from torch_ipex_device import _C

from .calls import overload
from .rows import ROWS

ROOT = Path(__file__).resolve().parents[2]


def registry():
    rows = (ROOT / "csrc" / "ops" / "registry.inc").read_text()
    return re.findall(r"^IPEX_(?:SCALAR_)?OP\((\w+), (\w+)\)$", rows, re.MULTILINE)


def gen_ops_doc():
    spec = importlib.util.spec_from_file_location("gen_ops_doc", ROOT / "tools" / "gen_ops_doc.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_registry_is_sorted_and_without_duplicates():
    names = [name for name, _ in registry()]
    assert names == sorted(set(names))


def test_each_operator_has_a_file_that_defines_it():
    for name, file in registry():
        text = (ROOT / "csrc" / "ops" / f"{file}.cpp").read_text()
        assert re.search(rf"\b{name}\(", text), f"{file}.cpp does not define {name}"


def test_the_library_holds_what_the_registry_lists():
    assert len(_C.native_operators()) == len(registry())


def test_each_operator_has_a_test_row():
    assert sorted(name for row in ROWS for name in row.operators) == sorted(_C.native_operators())


def test_the_dispatcher_holds_each_kernel():
    for name in _C.native_operators():
        dump = torch._C._dispatch_dump(name)
        assert re.search(r"^PrivateUse1: registered at .*csrc/ops/register.cpp", dump, re.MULTILINE), dump
    assert set(_C.native_operators()).isdisjoint(_C.fallback_operators())


def test_header_comments_state_the_schemas_of_pytorch():
    stated = []
    for family in gen_ops_doc().families():
        for schema in family.schemas:
            stated.append(schema.split("(")[0])
            assert schema == re.sub(r'"(\w+)"', r"'\1'", str(overload(stated[-1])._schema))
    assert sorted(stated) == sorted(_C.native_operators())


def test_page_is_current():
    module = gen_ops_doc()
    assert module.PAGE.read_text() == module.page(), "run: python tools/gen_ops_doc.py"
