"""The built wheel works where there is neither compiler nor CMake, and says in one sentence what is missing."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

HIDE_DNNL = """
import importlib.metadata as metadata
real = metadata.distribution
def distribution(name):
    if name == "onednn-cpu-gomp":
        raise metadata.PackageNotFoundError(name)
    return real(name)
metadata.distribution = distribution
import torch_ipex_device
"""
OTHER_TORCH = """
import torch
torch.__version__ = "2.12.1"
import torch_ipex_device
"""
NO_TORCH = """
import sys
sys.modules["torch"] = None
import torch_ipex_device
"""
NO_EXTENSION = """
import sys
sys.modules["torch_ipex_device._C"] = None
import torch_ipex_device
"""


def last_line(done):
    assert done.returncode != 0, done.stdout
    return done.stderr.strip().splitlines()[-1]


def test_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        roots = {name.split("/")[0] for name in archive.namelist()}
        names = archive.namelist()
    assert {root for root in roots if not root.endswith(".dist-info")} == {
        "torch_ipex_device",
        "_torch_ipex_device_autoload.py",
    }
    assert [name for name in names if name.endswith((".cpp", ".h", ".o", ".a"))] == []
    assert "torch_ipex_device/lib/libtorch_ipex.so" in names
    assert any(name.startswith("torch_ipex_device/torch_patches/") for name in names)
    assert "torch_ipex_device/py.typed" in names
    assert "torch_ipex_device/int8/recipe.schema.json" in names


def test_libraries_record_no_path_of_the_build_machine(wheel):
    with zipfile.ZipFile(wheel) as archive:
        for name in (name for name in archive.namelist() if name.endswith(".so")):
            content = archive.read(name)
            assert b"pip-build-env" not in content, name
            assert b"/build/source" not in content, name


def test_no_compiler_or_cmake_is_reachable(fresh):
    done = fresh.code("import shutil; print([shutil.which(tool) for tool in ('g++', 'cc', 'cmake', 'ninja')])")
    assert done.stdout.strip() == "[None, None, None, None]"


def test_pip_check_is_clean(fresh):
    done = fresh.run("-m", "pip", "check")
    assert done.returncode == 0, done.stdout


def test_explicit_import_prints_nothing_and_activates(fresh):
    torch_alone = fresh.code("import torch")  # warns when there is no numpy
    done = fresh.code("import torch_ipex_device, torch; assert torch.ipex.is_available()")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", torch_alone.stderr)


def test_device_works_without_an_import(fresh):
    done = fresh.code(
        "import torch; print((torch.ones(2).to('ipex') + 1).cpu().tolist(), torch.ones(1).ipex().is_ipex)"
    )
    assert done.stdout.strip() == "[2.0, 2.0] True", done.stderr


def test_native_operator_runs_in_the_fresh_environment(fresh):
    source = "import torch; print(torch.softmax(torch.zeros(1, 4, device='ipex'), -1).cpu().tolist())"
    done = fresh.code(source, IPEX_FALLBACK="silent")
    assert done.stdout.strip() == "[[0.25, 0.25, 0.25, 0.25]]", done.stderr


def test_recipe_is_checked_against_the_installed_schema(fresh):
    done = fresh.code("import torch_ipex_device as ipex; ipex.int8.validate([{}], 'recipe.json')")
    assert last_line(done).startswith("ValueError: [recipe.json] E401 entry 0, field name: missing; accepted: ")


def test_one_openmp_runtime_and_one_dnnl_are_loaded(fresh):
    source = (
        "import torch_ipex_device; lines = open('/proc/self/maps').read().split();"
        "print(*(len({p for p in lines if name in p}) for name in ('libgomp', 'libdnnl')))"
    )
    assert fresh.code(source).stdout.strip() == "1 1"


def test_legacy_names_work_in_the_fresh_environment(fresh):
    done = fresh.code("import intel_pytorch_extension as ipex; print(ipex.DEVICE, ipex.core.get_auto_dnnl())")
    assert done.stdout.strip() == "ipex:0 True", done.stderr


def test_missing_dnnl_is_one_sentence_with_its_remedy(fresh):
    line = last_line(fresh.code(HIDE_DNNL))
    assert line.startswith("ImportError: [torch_ipex_device] E302 the oneDNN library")
    assert "run: pip install onednn-cpu-gomp==" in line


def test_unloadable_dnnl_is_one_sentence_with_its_remedy(fresh):
    line = last_line(fresh.code("import torch_ipex_device", IPEX_DNNL_LIBRARY="/nowhere/libdnnl.so.3"))
    assert line.startswith("ImportError: [torch_ipex_device] E302 cannot load /nowhere/libdnnl.so.3")


def test_mismatched_torch_is_one_sentence_with_its_remedy(fresh):
    line = last_line(fresh.code(OTHER_TORCH))
    assert line.startswith(
        "ImportError: [torch_ipex_device] E303 PyTorch 2.12.1 is installed, this build is for 2.13.*"
    )
    assert "run: pip install torch==2.13.0" in line


def test_missing_torch_is_one_sentence_with_its_remedy(fresh):
    line = last_line(fresh.code(NO_TORCH))
    assert line.startswith("ImportError: [torch_ipex_device] E303 PyTorch is not installed")


def test_missing_extension_is_one_sentence_with_its_remedy(fresh):
    line = last_line(fresh.code(NO_EXTENSION))
    assert line.startswith("ImportError: [torch_ipex_device] E304 the compiled part is missing")
    assert "pip install ." in line


def test_source_tree_without_a_build_is_one_sentence_with_its_remedy(fresh, tmp_path):
    unbuilt = shutil.ignore_patterns("*.so", "lib", "_built_for.py", "__pycache__")
    shutil.copytree(ROOT / "torch_ipex_device", tmp_path / "torch_ipex_device", ignore=unbuilt)
    line = last_line(fresh.code("import torch_ipex_device", PYTHONPATH=str(tmp_path)))
    assert line.startswith("ImportError: [torch_ipex_device] E304 the compiled part is missing")


def test_failed_activation_leaves_torch_usable(fresh):
    source = (
        "import torch\ntry:\n    import torch_ipex_device\nexcept ImportError as error:\n    print(error)\n"
        "print(torch.ipex.is_available(), torch.ones(2).sum().item())"
    )
    done = fresh.code(source, IPEX_DNNL_LIBRARY="/nowhere/libdnnl.so.3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "False 2.0"


def test_bad_setting_is_reported_before_anything_is_loaded(fresh):
    line = last_line(fresh.code("import torch_ipex_device", IPEX_FALLBACK="loud"))
    assert line == "ValueError: [IPEX_FALLBACK] E501 got 'loud'; accepted: silent, warn, error"


def test_import_of_torch_alone_ignores_our_settings(fresh):
    done = fresh.code("import torch; print(torch.ones(1).item())", IPEX_FALLBACK="loud")
    assert (done.returncode, done.stdout.strip()) == (0, "1.0")
