"""ipex.explain(): rows, calls, JSON and picture agree with what ran, and the command line reports scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torch_ipex_device as ipex

SVG = "{http://www.w3.org/2000/svg}"


def record() -> ipex.explain:
    """Returns a recording of a fused block, a native operator and a fallback."""
    torch.manual_seed(0)
    conv, x = nn.Conv2d(8, 16, 3).to("ipex"), torch.randn(1, 8, 20, 20, device="ipex")
    torch.ipex.set_eager_fusion(True)
    with torch.no_grad(), ipex.explain() as explanation:
        y = F.max_pool2d(F.relu(conv(x)), 2)
        y.softmax(1)
        y.cumsum(1)
    return explanation


def test_rows_of_a_fused_block():
    rows = {row.operator: row for row in record().rows}
    chain = rows["convolution+relu"]
    assert (chain.path, chain.fused, chain.calls) == ("native", "relu", 1)
    assert chain.reason.startswith("closed by aten::max_pool2d")
    assert chain.implementations.startswith("convolution ")
    assert rows["aten::convolution"].path == rows["aten::relu"].path == "open"
    assert rows["aten::_softmax"].path == "native"
    assert rows["aten::cumsum"].path == "fallback" and rows["aten::cumsum"].reason


def test_times_add_up():
    explanation = record()
    outer = [
        call
        for call in explanation.calls
        if not any(
            other.start <= call.start and call.start + call.duration <= other.start + other.duration
            for other in explanation.calls
            if other is not call
        )
    ]
    own = sum(row.own_nanoseconds for row in explanation.rows)
    assert own == sum(call.duration for call in outer)
    assert all(0 <= row.own_nanoseconds <= row.nanoseconds for row in explanation.rows)
    assert sum(row.calls for row in explanation.rows) == len(explanation.calls)


def test_table_has_a_share_per_row():
    lines = str(record()).splitlines()
    assert lines[0].split()[:5] == ["operator", "path", "calls", "ms", "share"]
    shares = [float(word[:-1]) for line in lines[1:-1] for word in line.split() if word.endswith("%")]
    assert len(shares) == len(lines) - 2
    assert sum(shares) == pytest.approx(100, abs=0.1 * len(shares))


def test_json():
    explanation = record()
    read = json.loads(explanation.to_json())
    assert [row["operator"] for row in read["rows"]] == [row.operator for row in explanation.rows]
    assert read["calls"][0] == explanation.calls[0]._asdict()


def test_picture():
    explanation = record()
    root = ElementTree.fromstring(explanation.to_svg())
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert len(titles) == len(explanation.calls)
    assert any(text is not None and text.startswith("convolution+relu\n") for text in titles)
    width = float(root.attrib["viewBox"].split()[2])
    for bar in root.iter(f"{SVG}rect"):
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) <= width + 1


def test_empty_block():
    with ipex.explain() as explanation:
        pass
    assert explanation.rows == () and explanation.calls == ()
    ElementTree.fromstring(explanation.to_svg())
    assert "calls: 0 native" in str(explanation)


def test_only_one_at_a_time():
    with ipex.explain(), pytest.raises(ValueError, match="E103"), ipex.explain():
        pass
    with ipex.explain():
        pass


def run(tmp_path: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "torch_ipex_device.explain", *options, str(script), "--flag", "7"]
    # Not in the source tree: -m looks for the package in the working directory first.
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)


def test_command_line(tmp_path):
    report, picture = tmp_path / "report.json", tmp_path / "timeline.svg"
    text = "import sys, torch\nassert sys.argv[1:] == ['--flag', '7']\ntorch.ones(2, 3, device='ipex').softmax(1)\n"
    done = run(tmp_path, text, "--json", str(report), "--svg", str(picture))
    assert done.returncode == 0, done.stderr
    assert "aten::_softmax" in done.stdout and "share" in done.stdout
    assert any(row["operator"] == "aten::_softmax" for row in json.loads(report.read_text())["rows"])
    ElementTree.fromstring(picture.read_text())


def test_command_line_reports_a_script_that_exits(tmp_path):
    done = run(tmp_path, "import sys, torch\ntorch.ones(2, 3, device='ipex').softmax(1)\nsys.exit(3)\n")
    assert done.returncode == 3
    assert "aten::_softmax" in done.stdout


def test_command_line_without_a_script(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "torch_ipex_device.explain", str(tmp_path / "none.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2 and "there is no file" in done.stderr


def test_the_name_stays_the_context_manager():
    import torch_ipex_device.explain  # noqa: F401 - the import is what is tested

    with ipex.explain() as explanation:
        torch.ones(2, 3, device="ipex").softmax(1)
    assert explanation.rows
