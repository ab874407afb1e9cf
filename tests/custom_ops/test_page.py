"""The page says what the operators are, and its program runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from .cases import OPS, POST_OPS, numbers

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "custom_ops.md").read_text()
SCHEMAS = re.findall(r"^\| `(\w+\(.*?\) -> .*?)` \|", PAGE, re.MULTILINE)


def registered() -> list[str]:
    """Returns the names of all operators."""
    names = torch._C._dispatch_get_all_op_names()
    return sorted(name.removeprefix("torch_ipex::") for name in names if name.startswith("torch_ipex::"))


def test_every_operator_has_a_row():
    assert sorted(schema.split("(")[0] for schema in SCHEMAS) == registered()


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.split("(")[0])
def test_schemas(schema):
    name = schema.split("(")[0]
    assert torch._C.parse_schema(f"torch_ipex::{schema}") == getattr(OPS, name).default._schema


def test_post_ops():
    with pytest.raises(ValueError, match="accepted") as raised:
        OPS.linear(numbers(2, 3), numbers(2, 3), post_op="none of these")
    accepted = str(raised.value).split("accepted: ''")[1].strip(", ").split(", ")
    assert ["", *accepted] == list(POST_OPS)
    assert all(f"`{name}`" in PAGE for name in accepted)


@pytest.mark.parametrize("program", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_program(program):
    exec(program, {})
