"""Optimised models are copied, pickled, saved, traced and compiled like others, also for a process that comes later."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from .nets import Net, assert_same_state, image, net, optimize, randomised, run

OPTIONS: list[dict[str, Any]] = [
    {},
    {"dtype": torch.bfloat16},
    {"concat_linear": True, "level": "O0"},
    {"concat_linear": True, "dtype": torch.bfloat16},
    {"graph_mode": True},
]
options = pytest.mark.parametrize("options", OPTIONS, ids=str)


def called(model: nn.Module, options: dict[str, Any]) -> torch.Tensor:
    with torch.no_grad(), torch.autocast("cpu", options.get("dtype"), enabled="dtype" in options):
        result: torch.Tensor = model(image())
        return result


@options
@pytest.mark.parametrize("kind", ["deepcopy", "pickle"])
def test_copies_are_independent(options: dict[str, Any], kind: str) -> None:
    model = net()
    made = optimize(model, **options)
    expected, state = called(made, options), copy.deepcopy(made.state_dict())
    other = copy.deepcopy(made) if kind == "deepcopy" else pickle.loads(pickle.dumps(made))
    assert type(other) is type(made)
    assert_same_state(other.state_dict(), state)
    assert torch.equal(called(other, options), expected)
    other.load_state_dict(net(1).state_dict())
    assert_same_state(other.state_dict(), net(1).state_dict())
    assert not torch.equal(called(other, options), expected)
    assert torch.equal(called(made, options), expected)
    assert_same_state(made.state_dict(), state)


@options
def test_a_copy_may_be_optimised_again(options: dict[str, Any]) -> None:
    made = optimize(net(), **options)
    other = optimize(copy.deepcopy(made), **options)
    assert_same_state(other.state_dict(), net().state_dict())
    assert torch.equal(called(other, options), called(made, options))


def later(code: str, folder: Path) -> None:
    """Runs code in a process of its own, where `tests` can be imported."""
    tests = str(Path(__file__).resolve().parents[1])
    begin = f"import sys; sys.path.insert(0, {tests!r})\nimport torch, torch_ipex_device\n"
    done = subprocess.run([sys.executable, "-c", begin + code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SAVED: list[dict[str, Any]] = [{}, {"dtype": torch.bfloat16}]


def chain() -> nn.Module:
    """A model that every process can unpickle."""
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.GELU(),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(144, 5),
    ]
    return randomised(nn.Sequential(*layers, nn.BatchNorm1d(5), nn.LayerNorm(5)))


@pytest.mark.parametrize("options", SAVED, ids=str)
def test_another_process_unpickles_the_model(options: dict[str, Any], tmp_path: Path) -> None:
    model = chain()
    made = optimize(model, **options)
    expected = called(made, options)
    torch.save((made, image(), expected, model.state_dict()), tmp_path / "model.pt")
    later(
        "model, x, y, state = torch.load('model.pt', weights_only=False)\n"
        f"with torch.no_grad(), torch.autocast('cpu', torch.bfloat16, enabled={'dtype' in options}):\n"
        "    torch.testing.assert_close(model(x), y)\n"
        "assert list(model.state_dict()) == list(state)\n"
        "for key, value in model.state_dict().items(): assert torch.equal(value, state[key]), key\n"
        "model[0].register_state_dict_post_hook(lambda *arguments: None)\n"  # numbers of hooks must not collide
        "model[1].register_state_dict_post_hook(lambda *arguments: None)\n"
        "assert list(model.state_dict()) == list(state)\n"
        "model.load_state_dict({key: torch.zeros_like(value) for key, value in state.items()})\n"
        "assert not model[0].weight.any() and not model[5].weight.any()\n",
        tmp_path,
    )


@pytest.mark.parametrize("options", SAVED, ids=str)
def test_another_process_loads_the_checkpoint_into_a_plain_model(options: dict[str, Any], tmp_path: Path) -> None:
    model = chain()
    torch.save(optimize(model, **options).state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert_same_state(state, model.state_dict())


@pytest.mark.parametrize("options", SAVED, ids=str)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_another_process_runs_the_frozen_trace(options: dict[str, Any], tmp_path: Path) -> None:
    made = optimize(chain(), **options)
    with torch.no_grad(), torch.autocast("cpu", options.get("dtype"), enabled="dtype" in options, cache_enabled=False):
        with warnings.catch_warnings():
            warnings.simplefilter("error", torch.jit.TracerWarning)
            traced = torch.jit.freeze(torch.jit.trace(made, image(), check_trace=False))
        expected = traced(image())
    torch.testing.assert_close(expected, called(made, options))
    assert {"torch_ipex::linear", "torch_ipex::convolution"} <= {node.kind() for node in traced.graph.nodes()}
    traced.save(str(tmp_path / "trace.pt"))
    torch.save((image(), expected), tmp_path / "sample.pt")
    later(
        "x, y = torch.load('sample.pt')\nmodel = torch.jit.load('trace.pt')\n"
        "with torch.no_grad(): torch.testing.assert_close(model(x), y)",
        tmp_path,
    )


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_trace_has_weights_once() -> None:
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        traced = torch.jit.trace(optimize(chain(), dtype=torch.bfloat16), image(), check_trace=False)
    assert {tensor.dtype for tensor in traced.state_dict().values()} == {torch.bfloat16, torch.float32}
    assert sum(tensor.numel() for tensor in traced.state_dict().values()) < sum(
        tensor.numel() for tensor in chain().state_dict().values()
    )


def test_compilers_see_the_operators_of_pytorch() -> None:
    made = optimize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(144, 5)).eval())
    exported = torch.export.export(made, (image(),))
    targets = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert targets == {"aten.conv2d.default", "aten.gelu.default", "aten.flatten.using_ints", "aten.linear.default"}
    torch.testing.assert_close(exported.module()(image()), run(made, image()))


@pytest.mark.parametrize("options", [{}, {"concat_linear": True}, {"dtype": torch.bfloat16}], ids=str)
def test_compiled_without_graph_breaks(options: dict[str, Any]) -> None:
    class Features(Net):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.features(image)

    torch.manual_seed(0)
    made = optimize(randomised(Features()), **options)
    compiled = torch.compile(made, backend="eager", fullgraph=True)
    torch.testing.assert_close(called(compiled, options), called(made, options), rtol=0.05, atol=1e-3)


def test_symbolic_traces_of_an_optimised_model_run() -> None:
    layers = [
        nn.Conv2d(3, 4, 3, padding="same"),
        nn.GELU(),
        nn.ConvTranspose2d(4, 3, 3),
        nn.Linear(10, 5),
        nn.LayerNorm(5),
    ]
    made = optimize(nn.Sequential(*layers).eval())
    assert torch.equal(run(torch.fx.symbolic_trace(made), image()), run(made, image()))
