"""Whether a sanitizer runs below the tests, and what that changes."""

from __future__ import annotations

import os

import pytest

HAS_ADDRESS_SANITIZER = "libasan" in os.environ.get("LD_PRELOAD", "")


def without_address_sanitizer(reason: str) -> pytest.MarkDecorator:
    """Returns a mark for tests of what AddressSanitizer replaces."""
    return pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason=f"AddressSanitizer {reason}")
