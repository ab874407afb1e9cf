"""Generated pages equal what their generators write today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gen_docs = load(ROOT / "tools" / "gen_docs.py")


@pytest.mark.parametrize("name", sorted(gen_docs.PAGES))
def test_page_equals_its_source(name):
    if name in ("legacy_core.md", "migration.md"):
        pytest.importorskip("intel_pytorch_extension", reason="the compat distribution is not installed")
    assert (ROOT / "docs" / name).read_text() == gen_docs.PAGES[name](), "run: make docs"


def test_every_error_code_is_on_the_page():
    from torch_ipex_device.core.errors import ERRORS

    page = (ROOT / "docs" / "errors.md").read_text()
    assert [code for code in ERRORS if f"### {code}: " not in page] == []
