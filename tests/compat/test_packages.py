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
    assert not hasattr(legacy, "_C")


@pytest.mark.parametrize(
    ("package", "table"), [(LEGACY[0], "device_names"), (LEGACY[1], "front_end_names")], ids=["device", "front end"]
)
def test_every_old_name_resolves_or_error_names_replacement(package, table):
    module = importlib.import_module(package)
    replacements = importlib.import_module(f"_torch_ipex_device_compat.{table}").REPLACEMENTS
    missing = {name: text for name, text in replacements.items() if not hasattr(module, name)}
    for name, text in missing.items():
        with pytest.raises(AttributeError) as caught:
            getattr(module, name)
        assert text in str(caught.value)
    assert all(hasattr(torch_ipex_device, name) for name in replacements.keys() - missing.keys())


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
