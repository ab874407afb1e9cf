"""Builds the C++ library and the binding with CMake and Ninja; everything else is in pyproject.toml."""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
DNNL_DEVEL = "onednn-devel-cpu-gomp"


def dnnl_cmake_args() -> list[str]:
    """Where CMake finds oneDNN: DNNL_ROOT if the user names one, else the wheel with its headers."""
    if root := os.environ.get("DNNL_ROOT"):
        return [f"-DDNNL_ROOT={root}"]
    try:
        distribution = importlib.metadata.distribution(DNNL_DEVEL)
    except importlib.metadata.PackageNotFoundError:
        sys.exit(
            f"oneDNN headers not found; run: pip install {DNNL_DEVEL}==2023.2.0, or set DNNL_ROOT to an installation"
        )
    for file in distribution.files or ():
        if file.name == "dnnl-config.cmake":
            return [f"-Ddnnl_DIR={Path(os.fspath(distribution.locate_file(file))).resolve().parent}"]
    sys.exit(
        f"package {DNNL_DEVEL} holds no dnnl-config.cmake; reinstall it, or set DNNL_ROOT to a oneDNN installation"
    )


class CMakeBuild(build_ext):
    """Runs configure, build and install of CMakeLists.txt."""

    def build_extension(self, ext: Extension) -> None:
        try:
            import torch
        except ModuleNotFoundError:
            sys.exit(
                "PyTorch is needed to build; run: pip install torch==2.13.0, or build with isolation: pip install ."
            )
        package = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        build = Path(os.environ.get("IPEX_BUILD_DIR") or self.build_temp).resolve()  # set it to build incrementally
        build.mkdir(parents=True, exist_ok=True)
        configure = [
            "cmake",
            str(ROOT),
            "-GNinja",
            f"-DCMAKE_BUILD_TYPE={os.environ.get('CMAKE_BUILD_TYPE', 'Release')}",
            f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DIPEX_TORCH_VERSION={torch.__version__}",
            *dnnl_cmake_args(),
            *shlex.split(os.environ.get("CMAKE_ARGS", "")),
        ]
        subprocess.run(configure, cwd=build, check=True)
        jobs = str(self.parallel or os.environ.get("MAX_JOBS") or len(os.sched_getaffinity(0)))
        subprocess.run(["cmake", "--build", ".", "-j", jobs], cwd=build, check=True)
        # An editable install imports from the source tree, so the libraries go there as well.
        for prefix in [package, ROOT / "torch_ipex_device"] if self.editable_mode else [package]:
            subprocess.run(["cmake", "--install", ".", "--prefix", str(prefix)], cwd=build, check=True)


packages = find_packages(include=["torch_ipex_device", "torch_ipex_device.*"])
setup(
    packages=[*packages, "torch_ipex_device.torch_patches"],
    package_dir={"torch_ipex_device.torch_patches": "torch_patches"},
    package_data={"torch_ipex_device": ["py.typed", "*.pyi", "lib/*.so", "int8/*.schema.json"]},
    ext_modules=[Extension("torch_ipex_device._C", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)
