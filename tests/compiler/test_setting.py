"""Choosing the path of torch.compile(backend="ipex")."""

from __future__ import annotations

import pytest
import torch

import torch_ipex_device as ipex
from device.programs import run_program


def test_inductor_is_the_default() -> None:
    assert ipex._get_compiler_backend() == "inductor"
    ipex._set_compiler_backend("torchscript")
    assert ipex._get_compiler_backend() == "torchscript"
    ipex._set_compiler_backend()
    assert ipex._get_compiler_backend() == "inductor"


@pytest.mark.parametrize("wrong", ["eager", "TorchScript", "", None, 1])
def test_another_path_is_refused_at_once(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"\[_set_compiler_backend\] E103 got .*; accepted: inductor, torchscript"):
        ipex._set_compiler_backend(wrong)  # type: ignore[arg-type]
    assert ipex._get_compiler_backend() == "inductor"


def test_the_backend_is_found_without_an_import() -> None:
    program = "import torch; print('ipex' in torch._dynamo.list_backends(()))"
    assert run_program(program, TORCH_DEVICE_BACKEND_AUTOLOAD="0") == "True"


def test_importing_the_package_does_not_import_the_compiler() -> None:
    program = "import sys, torch, torch_ipex_device; print([m for m in sys.modules if 'inductor.compile_fx' in m])"
    assert run_program(program) == "[]"


def test_modes_and_options_are_inductors() -> None:
    x = torch.randn(4, 4)
    with torch.no_grad():
        result = torch.compile(lambda t: t + 1, backend="ipex", options={"max_autotune": False})(x)
    assert torch.equal(result, x + 1)
    ipex._set_compiler_backend("torchscript")
    torch._dynamo.reset()
    with pytest.raises(Exception, match="the torchscript path has none"), torch.no_grad():
        torch.compile(lambda t: t + 2, backend="ipex", options={"max_autotune": False})(x)
