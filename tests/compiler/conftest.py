"""What every test of the compiler begins with and leaves behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import torch_ipex_device as ipex


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No compiled code of other tests, and the default path."""
    torch._dynamo.reset()
    yield
    ipex._set_compiler_backend()
    torch._dynamo.reset()


@pytest.fixture(params=["inductor", "torchscript"])
def path(request: pytest.FixtureRequest) -> str:
    """Each path in turn."""
    ipex._set_compiler_backend(request.param)
    return str(request.param)
