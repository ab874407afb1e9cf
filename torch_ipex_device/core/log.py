"""The package's logger, `torch_ipex_device`, with the level that `IPEX_LOG_LEVEL` asks for."""

from __future__ import annotations

import logging

from . import config

logger = logging.getLogger("torch_ipex_device")


def configure() -> None:
    """Sets the level of the logger from `IPEX_LOG_LEVEL`; handlers stay the application's.

    Raises:
        ValueError: E501, the variable holds an unknown level.
    """
    logger.setLevel(config.read("IPEX_LOG_LEVEL").upper())
