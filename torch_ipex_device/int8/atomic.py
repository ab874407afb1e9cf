"""A file gets new content in one step: who reads it sees the old content or the new one, never a part."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path


def write(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a temporary file beside a file and puts it in its place.

    An existing file keeps its permissions. A link stays a link; the file that it leads to is written. What is no regular
    file, a pipe for example, is just written to.

    Args:
        path: the file.
        content: all of its new content.

    Raises:
        OSError: it cannot be written; the old content is still there, the temporary file is not.

    Example:
        >>> write("recipe.json", b"[]")
    """
    target = os.path.realpath(path)
    mode = os.stat(target).st_mode if os.path.exists(target) else None
    if mode is not None and not stat.S_ISREG(mode):
        Path(target).write_bytes(content)
        return
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)
