"""The tables of archived names: complete, sorted, and true."""

from __future__ import annotations

import importlib
import re

import pytest
import torch

import torch_ipex_device

pytest.importorskip("intel_pytorch_extension", reason="the compat distribution is not installed")

from _torch_ipex_device_compat import device_names, front_end_names, operator_names
from _torch_ipex_device_compat.forward import find, provides

TABLES = {"intel_pytorch_extension": device_names.NAMES, "intel_extension_for_pytorch": front_end_names.NAMES}
ROWS = [(package, row) for package, names in TABLES.items() for row in names.values()]

# What programs are most often written with; each works, under the archived name.
# fmt: off
DEVICE_API = (
    "AmpConf", "AutoMixPrecision", "DEVICE", "FrozenBatchNorm2d", "IpexMLPLinear", "LinearRelu", "ROIAlign", "SplitSGD",
    "batch_score_nms", "core", "embeddingbag", "enable_auto_mixed_precision", "frozen_batch_norm", "get_auto_mix_precision",
    "get_train", "interaction", "nms", "roi_align",
)
FRONT_END = (
    "_C", "cpu.autocast", "cpu.runtime.CPUPool", "cpu.runtime.MultiStreamModule", "cpu.runtime.MultiStreamModuleHint",
    "cpu.runtime.Task", "cpu.runtime.get_core_list_of_node_id", "cpu.runtime.is_runtime_ext_enabled", "cpu.runtime.pin",
    "has_cpu", "nn.FrozenBatchNorm2d", "nn.functional.interaction", "nn.modules.IPEXLinearEltwise",
    "nn.modules.MergedEmbeddingBag", "nn.modules.MergedEmbeddingBagWithAdaGrad", "nn.modules.MergedEmbeddingBagWithCat",
    "nn.modules.MergedEmbeddingBagWithSGD", "optim._lamb.Lamb", "optim._lars.Lars", "version",
)
# fmt: on


def look_up(package, path):
    found = importlib.import_module(package)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def top_level(row):
    """Whether a program can ask for the name: its module is there."""
    parent = row.name.rpartition(".")[0]
    return not parent or find(parent)[0]


@pytest.mark.parametrize("names", [*TABLES.values(), operator_names.NAMES], ids=[*TABLES, "operators"])
def test_rows_have_their_own_name(names):
    assert all(name == row.name for name, row in names.items())
    assert not [row.name for row in names.values() if row.here == row.name]
    assert not [row.name for row in names.values() if row.instead.endswith(".")]


@pytest.mark.parametrize(("package", "row"), ROWS, ids=lambda each: getattr(each, "name", ""))
def test_name_resolves_or_the_error_says_what_to_use(package, row):
    if not top_level(row):
        assert row.instead
        return
    if row.name in vars(importlib.import_module(package)) or provides(row):
        assert look_up(package, row.name) is not None
        return
    with pytest.raises(AttributeError) as caught:
        look_up(package, row.name)
    assert row.instead and str(caught.value).endswith(f"; {row.instead}")


@pytest.mark.parametrize("name", DEVICE_API)
def test_name_of_the_device_api_works(name):
    assert look_up("intel_pytorch_extension", name) is not None


@pytest.mark.parametrize("name", FRONT_END)
def test_name_of_the_front_end_works(name):
    assert look_up("intel_extension_for_pytorch", name) is not None


@pytest.mark.parametrize("name", operator_names.NAMES)
def test_operator_is_there_or_has_a_replacement(name):
    assert hasattr(torch.ops.torch_ipex, name) or operator_names.NAMES[name].instead


def test_replacements_exist():
    """Every `torch.x.y` or `torch_ipex_device.x.y` that a text names can be found."""
    texts = " ".join(row.instead for names in (*TABLES.values(), operator_names.NAMES) for row in names.values())
    for path in sorted(set(re.findall(r"`((?:torch|torch_ipex_device)(?:\.\w+)+)", texts))):
        root, *parts = path.split(".")
        found = importlib.import_module(root)
        for part in parts:
            assert hasattr(found, part), path
            found = getattr(found, part)


def test_frozen_batch_norm_of_the_device_api_has_no_eps():
    old = look_up("intel_pytorch_extension", "FrozenBatchNorm2d")(2)
    old.running_var.fill_(4.0)
    assert old(torch.ones(1, 2, 1, 1)).flatten().tolist() == [0.5, 0.5]
    assert isinstance(old, torch_ipex_device.nn.FrozenBatchNorm2d)
    assert look_up("intel_extension_for_pytorch", "nn.FrozenBatchNorm2d")(2).eps == 1e-5


def test_archived_linear_operator_works():
    x, weight, bias = torch.randn(3, 4), torch.randn(2, 4), torch.randn(2)
    expected = torch.nn.functional.linear(x, weight, bias)
    torch.testing.assert_close(torch.ops.torch_ipex.linear(x, weight, bias), expected)


def test_version_prints_versions(capsys):
    look_up("intel_extension_for_pytorch", "version")()
    printed = capsys.readouterr().out
    assert f"torch_ipex_device version: {torch_ipex_device.__version__}\n" in printed
    assert torch.__version__ in printed
    assert "oneDNN version: 3." in printed


def test_package_says_what_it_computes_on():
    assert look_up("intel_extension_for_pytorch", "has_cpu")() is True
    assert look_up("intel_extension_for_pytorch", "has_xpu")() is False
