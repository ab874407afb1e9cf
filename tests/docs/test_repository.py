"""Tracked files hold no machine paths or host names, links lead somewhere, every file says what it is for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# In pieces, so that this file does not contain what it looks for.
FORBIDDEN = re.compile(
    "|".join(
        (
            r"(?<![\w.])/(?:wor" + r"k|roo" + r"t|home)/\w",
            r"/tm" + r"p/\w",
            r"pyp" + r"i\.org",
            r"pythonhos" + r"ted\.org",
            r"download\.pyt" + r"orch\.org",
            r"deb\.deb" + r"ian\.org",
            r"registry\.np" + r"mjs",
        )
    )
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git work tree, so there is no list of tracked files")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def text_of(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_machine_path_or_registry_host_in_tracked_files():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if FORBIDDEN.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "sample", ["/wor" + "k/x", "see /hom" + "e/me", "https://pyp" + "i.org/simple", "/tm" + "p/build"]
)
def test_forbidden_pattern_finds_what_it_is_for(sample):
    assert FORBIDDEN.search(sample)


def anchors(markdown):
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_pages_lead_somewhere():
    broken = []
    for page in (path for path in tracked() if path.suffix == ".md"):
        for target in LINK.findall(page.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_page_of_docs_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in tracked() if ROOT / "docs" in path.parents}
    assert sorted(page for page in pages - {"index.md"} if f"({page})" not in index) == []


def test_every_source_file_says_first_what_it_is_for():
    starts = {
        ".py": ('"""', "#!"),
        ".pyi": ('"""',),
        ".cpp": ("// ",),
        ".h": ("// ",),
        ".inc": ("// ",),
        ".sh": ("#!",),
    }
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix in starts and path.stat().st_size and not text_of(path).startswith(starts[path.suffix])
    ]
    assert silent == []


def test_no_unexplained_leftovers():
    marker = re.compile("FIX" + "ME|TO" + "DO|XX" + "X")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        if path.suffix in (".py", ".cpp", ".h", ".inc", ".sh", ".md")
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if marker.search(line)
    ]
    assert found == []
