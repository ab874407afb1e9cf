"""Whether a sanitizer runs below the tests, and what that changes."""

from __future__ import annotations

import os

import pytest

_PRELOADED = os.environ.get("LD_PRELOAD", "")
HAS_ADDRESS_SANITIZER = "libasan" in _PRELOADED


def without_address_sanitizer(reason: str) -> pytest.MarkDecorator:
    """Returns a mark for tests of what AddressSanitizer replaces."""
    return pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason=f"AddressSanitizer {reason}")


def without_thread_sanitizer(reason: str) -> pytest.MarkDecorator:
    """Returns a mark for tests of what ThreadSanitizer cannot follow."""
    return pytest.mark.skipif("libtsan" in _PRELOADED, reason=f"ThreadSanitizer {reason}")
