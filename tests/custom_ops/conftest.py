"""Small numbers are computed faster by one thread; test_numbers and test_native use all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

WITH_ALL = ("test_numbers", "test_native")


@pytest.fixture(autouse=True)
def one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sets the number of threads for a test."""
    before = torch.get_num_threads()
    if not request.path.stem.startswith(WITH_ALL):
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
