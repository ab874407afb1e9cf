"""What the tests of `ipex.optimize` run with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small models: threads that wait for each other on a busy machine take most of the time."""
    threads = torch.get_num_threads()
    if request.path.name.startswith("test_optimize"):
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
