"""The two legacy packages hand names through to torch_ipex_device, and say what replaces those that it lacks."""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys

import pytest
import torch

import torch_ipex_device

LEGACY = ("intel_pytorch_extension", "intel_extension_for_pytorch")
pytest.importorskip(LEGACY[0], reason="the compat distribution is not installed")


@pytest.fixture(params=LEGACY)
def legacy(request):
    return importlib.import_module(request.param)


@pytest.fixture
def feature(monkeypatch):
    """A feature that torch_ipex_device gains later."""
    value = object()
    monkeypatch.setattr(torch_ipex_device, "feature_of_tomorrow", value, raising=False)
    return value


def test_device_string_works(legacy):
    assert legacy.DEVICE == "ipex:0"
    assert str(torch.ones(1).to(legacy.DEVICE).device) == legacy.DEVICE


def test_version_is_that_of_the_main_package(legacy):
    assert legacy.__version__ == torch_ipex_device.__version__


def test_later_feature_appears_without_a_change(legacy, feature):
    assert legacy.feature_of_tomorrow is feature


def test_from_import_of_later_feature_works(legacy, feature):
    namespace = {}
    exec(f"from {legacy.__name__} import feature_of_tomorrow as found", namespace)
    assert namespace["found"] is feature


def test_unknown_name_points_to_the_migration_page(legacy):
    with pytest.raises(AttributeError, match=f"{legacy.__name__}.*no attribute 'no_such_name'; see docs/migration.md"):
        legacy.no_such_name  # noqa: B018


def test_missing_dunder_is_a_plain_attribute_error(legacy):
    assert not hasattr(legacy, "__wrapped__")


def test_private_names_are_not_handed_through(legacy):
    assert not hasattr(legacy, "_load")
    assert not hasattr(importlib.import_module(LEGACY[0]), "_C")


def test_submodule_is_the_same_module(legacy):
    alias = importlib.import_module(f"{legacy.__name__}.testing")
    assert alias is importlib.import_module("torch_ipex_device.testing")
    assert alias.__name__ == alias.__spec__.name == "torch_ipex_device.testing"


def test_nested_submodule_is_the_same_module():
    alias = importlib.import_module("intel_extension_for_pytorch.core.errors")
    assert alias is importlib.import_module("torch_ipex_device.core.errors")


def test_missing_submodule_raises_module_not_found(legacy):
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        importlib.import_module(f"{legacy.__name__}.no_such_module")


def test_module_that_is_missing_is_an_error_with_the_replacement():
    for statement in (
        "import intel_extension_for_pytorch.quantization",
        "import intel_extension_for_pytorch.quantization.fp8",
        "from intel_extension_for_pytorch.quantization import prepare, convert",
        "from intel_extension_for_pytorch import quantization",
    ):
        with pytest.raises(ModuleNotFoundError, match=r"use `ipex.AmpConf\(torch.int8\)`"):
            exec(statement)


def test_name_that_is_missing_is_the_same_error_when_imported():
    with pytest.raises(ModuleNotFoundError, match=r"intel_pytorch_extension.gru'; use `torch.nn.GRU`"):
        exec("from intel_pytorch_extension import gru")
    with pytest.raises(ModuleNotFoundError, match="llm'; not offered"):
        exec("from intel_extension_for_pytorch import llm")


def test_names_missing_in_a_module_have_hints_too():
    module = importlib.import_module("intel_extension_for_pytorch.nn.modules")
    with pytest.raises(
        AttributeError, match=r"intel_extension_for_pytorch.nn.modules' has no attribute 'Ipex.*; .*torchao"
    ):
        module.IpexWoqLinear  # noqa: B018
    with pytest.raises(ModuleNotFoundError, match="torchao"):
        exec("from intel_extension_for_pytorch.nn.modules import IpexWoqLinear")
    with pytest.raises(ModuleNotFoundError, match="Optuna"):
        exec("from intel_extension_for_pytorch.cpu import hypertune")
    with pytest.raises(AttributeError, match=r"see docs/migration\.md"):
        module.no_such_name  # noqa: B018


def test_module_with_hints_has_the_objects_of_the_real_one():
    legacy = importlib.import_module("intel_extension_for_pytorch")
    namespace = {}
    exec("from intel_extension_for_pytorch.nn.modules import *", namespace)
    exec("from intel_extension_for_pytorch.optim._lamb import Lamb", namespace)
    real = importlib.import_module("torch_ipex_device.nn.modules")
    assert legacy.nn.modules.MergedEmbeddingBag is namespace["MergedEmbeddingBag"] is real.MergedEmbeddingBag
    assert legacy.nn.FrozenBatchNorm2d is torch_ipex_device.nn.FrozenBatchNorm2d
    assert namespace["Lamb"] is torch_ipex_device.optim.Lamb
    assert legacy.nn is importlib.import_module("intel_extension_for_pytorch.nn")
    assert "MergedEmbeddingBag" in dir(legacy.nn.modules)
    assert legacy.nn.modules.__file__ == real.__file__


def test_function_is_no_module():
    with pytest.raises(
        ModuleNotFoundError, match=r"use `from intel_extension_for_pytorch.nn.functional import interaction`"
    ):
        importlib.import_module("intel_extension_for_pytorch.nn.functional.interaction")
    assert callable(torch_ipex_device.nn.functional.interaction)


def test_runtime_is_the_same_module_however_it_is_imported():
    namespace = {}
    exec("from intel_extension_for_pytorch.cpu import runtime as a", namespace)
    exec("import intel_extension_for_pytorch.cpu.runtime as b", namespace)
    legacy = importlib.import_module("intel_extension_for_pytorch")
    real = importlib.import_module("torch_ipex_device.cpu.runtime")
    assert namespace["a"] is namespace["b"] is legacy.cpu.runtime is real


def test_own_core_is_not_replaced_by_that_of_the_main_package():
    core = importlib.import_module("intel_pytorch_extension.core")
    assert core.__name__ == "intel_pytorch_extension.core"


def test_module_of_main_package_runs_with_dash_m():
    command = [sys.executable, "-m", "intel_pytorch_extension.version"]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr


def test_import_stops_when_the_original_is_installed(monkeypatch):
    from _torch_ipex_device_compat import conflict

    real = importlib.metadata.distribution
    fake = importlib.metadata.distribution("torch-ipex-device-compat")
    monkeypatch.setattr(
        importlib.metadata, "distribution", lambda name: fake if name == "intel-extension-for-pytorch" else real(name)
    )
    with pytest.raises(ImportError, match="run: pip uninstall intel-extension-for-pytorch && pip install"):
        conflict.check_no_original_installed()


def test_distribution_installs_only_its_own_packages():
    files = importlib.metadata.files("torch-ipex-device-compat")
    roots = {
        file.parts[0] for file in files if "dist-info" not in file.parts[0] and not file.name.startswith("__editable__")
    }
    assert roots <= {*LEGACY, "_torch_ipex_device_compat"}
