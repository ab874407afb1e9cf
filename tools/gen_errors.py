"""Writes the C++ half of the error table: one IPEX_ERROR_CODE(code, exception class) row per code."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

# Python class of the table -> the c10 exception that torch translates into it.
C10_CLASS = {
    "TypeError": "TypeError",
    "ValueError": "ValueError",
    "NotImplementedError": "NotImplementedError",
    "RuntimeError": "Error",
    "ImportError": "Error",
    "torch.OutOfMemoryError": "OutOfMemoryError",
}

if __name__ == "__main__":
    source = Path(__file__).resolve().parents[1] / "torch_ipex_device" / "core" / "errors.py"
    rows = runpy.run_path(str(source), run_name="torch_ipex_device.core.errors")["ERRORS"].values()
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"IPEX_ERROR_CODE({row.code}, {C10_CLASS[row.python_class]})" for row in rows]
    target.write_text("// Generated from torch_ipex_device/core/errors.py.\n" + "\n".join(lines) + "\n")
