"""TorchScript: traced, scripted, frozen, saved and loaded in a process of its own."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch

from .cases import numbers
from .models import Model, assert_right, image, stock
from .weights import ONES, assert_used_as_it_is


@pytest.fixture
def model() -> Model:
    return Model().eval()


def traced(model: Model) -> torch.jit.ScriptModule:
    with torch.no_grad():
        return torch.jit.trace(model, image())


PROGRAMS = {
    "trace": traced,
    "trace and freeze": lambda model: torch.jit.freeze(traced(model)),
    "trace and optimize_for_inference": lambda model: torch.jit.optimize_for_inference(traced(model)),
    "script": torch.jit.script,
    "script and freeze": lambda model: torch.jit.freeze(torch.jit.script(model)),
    "deepcopy": lambda model: copy.deepcopy(traced(model)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name, model):
    program = PROGRAMS[name](model)
    for batch in (2, 5):
        assert_right(program, model, image(batch))


@pytest.mark.filterwarnings("ignore")
def test_saved_programs_run_elsewhere(model, tmp_path):
    for name in ("trace", "trace and freeze", "script"):
        PROGRAMS[name](model).save(tmp_path / f"{name}.pt")
    with torch.no_grad():
        torch.save((image(), stock(model, image())), tmp_path / "numbers.pt")
    program = (
        "import torch, torch_ipex_device\n"
        "x, expected = torch.load('numbers.pt')\n"
        "for name in ('trace', 'trace and freeze', 'script'):\n"
        "    program = torch.jit.load(name + '.pt')\n"
        "    with torch.no_grad():\n"
        "        for _ in range(3):\n"
        "            torch.testing.assert_close(program(x), expected, rtol=1e-4, atol=1e-5)\n"
        "    assert torch.ipex.memory_allocated() > 288 * 64 * 4, 'no weight has a copy'\n"
        "    del program\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_loading_without_the_package_says_which_operator_is_missing(model, tmp_path):
    traced(model).save(tmp_path / "program.pt")
    program = "import torch; torch.jit.load('program.pt')"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0 and "Unknown builtin op: torch_ipex::" in done.stderr


@pytest.mark.filterwarnings("ignore")
def test_weights_of_programs_can_be_written():
    weight = torch.nn.Parameter(numbers(32, 64))

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ops.torch_ipex.linear(x, self.weight)

    programs = [torch.jit.script(Layer()), torch.jit.trace(Layer(), ONES)]
    for value in (1.0, 2.0):
        weight.data.fill_(value)
        for program in programs:
            for _ in range(3):
                assert (program(ONES) == 64 * value).all()


@pytest.mark.filterwarnings("ignore")
def test_programs_write_weights():
    weight = numbers(64, 64)

    @torch.jit.script
    def step(weight: torch.Tensor) -> torch.Tensor:
        y = torch.ops.torch_ipex.linear(torch.ones(2, 64), weight)
        weight.mul_(0.5)
        return y

    for _ in range(6):
        expected = weight.sum(1)
        torch.testing.assert_close(step(weight)[0], expected, rtol=1e-4, atol=1e-5)
    assert_used_as_it_is(weight)


@pytest.mark.filterwarnings("ignore")
def test_gradients_of_programs(model):
    for program in (torch.jit.script(model), torch.jit.trace(model, image())):
        for _ in range(3):
            x = image().requires_grad_()
            program(x).square().sum().backward()
            expected = torch.autograd.grad(stock(model, y := image().requires_grad_()).square().sum(), y)[0]
            torch.testing.assert_close(x.grad, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_autocast_while_tracing(model):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        program = torch.jit.trace(model, image())
        expected = model(image())
    with torch.no_grad():
        torch.testing.assert_close(program(image()).float(), expected.float(), rtol=0.05, atol=0.05)
