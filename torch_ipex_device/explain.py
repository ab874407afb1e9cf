"""python -m torch_ipex_device.explain script.py: runs a script and says what its operators did on ipex.

`torch_ipex_device.explain` is the context manager; this module only gives it a command line.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from torch_ipex_device.device.explain import explain


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the script that the command line names; returns its exit code.

    Args:
        arguments: the command line without the program; that of the process when None.
    """
    parser = argparse.ArgumentParser(
        prog="python -m torch_ipex_device.explain",
        description="Runs a Python script and prints, operator by operator, what ran on ipex, where, how, and how long.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write rows and calls to FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw a timeline into FILE, for a browser")
    parser.add_argument("script", type=Path, help="the script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    options = parser.parse_args(arguments)
    if not options.script.is_file():
        parser.error(f"there is no file {options.script}")
    code = 0
    before = sys.argv, sys.path[0]
    sys.argv, sys.path[0] = [str(options.script), *options.arguments], str(options.script.parent)
    explanation = explain()
    try:
        with explanation:
            runpy.run_path(str(options.script), run_name="__main__")
    except SystemExit as stop:  # what ran until then is worth a report
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    finally:
        sys.argv, sys.path[0] = before
    print(explanation)
    if options.json is not None:
        options.json.write_text(explanation.to_json(), encoding="utf-8")
    if options.svg is not None:
        options.svg.write_text(explanation.to_svg(), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
else:
    # The import system binds a submodule's name in its package; here that name stays the context manager's.
    sys.modules[__name__] = explain  # type: ignore[assignment]
