"""The scripts of examples/scripts run unchanged, without a network, and compute what they compute on stock PyTorch."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
STOCK = Path(__file__).parent / "stock"
AT_ONCE = 2
DEGRADED = re.compile(r".*(?::torch_ipex_device:|\boptimize: |backend='ipex').*")


@dataclass(frozen=True)
class Row:
    """What is expected of a script.

    Attributes:
        reference: the script, in float32, whose result on stock PyTorch this one's is compared with.
        snr: decibels that the result has at least. In float32 it is limited by the order of sums only.
    """

    reference: str
    snr: float


FLOAT32 = 90.0
# One rounding to bfloat16 is 50 dB; batch norms of random networks amplify what comes of many.
BERT_BF16 = 35.0
RESNET_BF16 = 20.0
BERT = "bert_eager_mode_inference_fp32"
RESNET = "resnet50_eager_mode_inference_fp32"
INFERENCE = {
    "bert_eager_mode_inference_bf16": Row(BERT, BERT_BF16),
    "bert_eager_mode_inference_fp32": Row(BERT, FLOAT32),
    "bert_torchdynamo_mode_inference_bf16": Row(BERT, BERT_BF16),
    "bert_torchdynamo_mode_inference_fp32": Row(BERT, FLOAT32),
    "bert_torchscript_mode_inference_bf16": Row(BERT, BERT_BF16),
    "bert_torchscript_mode_inference_fp32": Row(BERT, FLOAT32),
    "channels_last_inference_bf16": Row(RESNET, RESNET_BF16),
    "channels_last_inference_fp32": Row(RESNET, FLOAT32),
    "compile_inference_bf16": Row(RESNET, RESNET_BF16),
    "compile_inference_fp32": Row(RESNET, FLOAT32),
    "compile_torchscript_inference_bf16": Row(RESNET, RESNET_BF16),
    "compile_torchscript_inference_fp32": Row(RESNET, FLOAT32),
    "graph_capture": Row("graph_capture", FLOAT32),
    "resnet50_eager_mode_inference_bf16": Row(RESNET, RESNET_BF16),
    "resnet50_eager_mode_inference_fp32": Row(RESNET, FLOAT32),
    "resnet50_torchdynamo_mode_inference_bf16": Row(RESNET, RESNET_BF16),
    "resnet50_torchdynamo_mode_inference_fp32": Row(RESNET, FLOAT32),
    "resnet50_torchscript_mode_inference_bf16": Row(RESNET, RESNET_BF16),
    "resnet50_torchscript_mode_inference_fp32": Row(RESNET, FLOAT32),
    "simplenet_amp_bf16": Row("simplenet_amp_bf16", 40.0),
    "simplenet_amp_int8": Row("simplenet_amp_int8", 30.0),
}
TRAINING = [
    "compile_optimize_training_bf16",
    "compile_optimize_training_fp32",
    "compile_training_bf16",
    "compile_training_fp32",
    "single_instance_training_bf16",
    "single_instance_training_fp32",
]
TRAINING_REFERENCE = "single_instance_training_fp32"
AUTOCAST_REFERENCE = "single_instance_training_bf16"
SCRIPTS = sorted(path.stem for path in (EXAMPLES / "scripts").glob("*.py"))

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed; `make demo` installs it"
)


@dataclass(frozen=True)
class Run:
    """A script that ran.

    Attributes:
        done: its exit code and what it printed.
        folder: where it ran.
    """

    done: subprocess.CompletedProcess[str]
    folder: Path

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The script's global variables."""
        assert self.done.returncode == 0, self.done.stderr
        variables: dict[str, Tensor] = torch.load(self.folder / "variables.pt", weights_only=True)
        return variables

    @property
    def losses(self) -> list[float]:
        """What a training script printed, step by step."""
        assert self.done.returncode == 0, self.done.stderr
        return [float(loss) for loss in re.findall(r"^\d+ (\d+\.\d+)$", self.done.stdout, re.MULTILINE)]

    @property
    def checkpoint(self) -> dict[str, Any]:
        """The file that a training script wrote."""
        assert self.done.returncode == 0, self.done.stderr
        found: dict[str, Any] = torch.load(self.folder / "checkpoint.pth", weights_only=True)
        return found


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("IPEX_")} | more


def started(script: str, stock: bool, folder: Path, compiled: Path) -> Run:
    """Runs a script.

    Args:
        script: its name.
        stock: on stock PyTorch, in place of our package.
        folder: where.
        compiled: what Inductor keeps compiled code in, for all scripts.
    """
    threads = max(1, (os.cpu_count() or 1) // AT_ONCE)
    variables = environment(TORCHINDUCTOR_CACHE_DIR=str(compiled), OMP_NUM_THREADS=str(threads))
    if stock:
        variables["PYTHONPATH"] = os.pathsep.join([str(STOCK), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, str(EXAMPLES / "offline" / "run.py"), "--save", "variables.pt"]
    command.append(str(EXAMPLES / "scripts" / f"{script}.py"))
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    return Run(done, folder)


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Run]]:
    """Returns a function that runs a script, once in this module, as it is or on stock PyTorch.

    Most of a script's time is importing and compiling, on one core. So the scripts of all tests start now, two at a time.
    """
    compiled = tmp_path_factory.mktemp("compiled")
    runs: dict[tuple[str, bool], Future[Run]] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def call(script: str, stock: bool = False) -> Future[Run]:
            if (script, stock) not in runs:
                folder = tmp_path_factory.mktemp(script)
                runs[script, stock] = pool.submit(started, script, stock, folder, compiled)
            return runs[script, stock]

        for item in request.session.items:
            if item.path == request.path and isinstance(item, pytest.Function) and hasattr(item, "callspec"):
                call(item.callspec.params["script"])
        yield lambda script, stock=False: call(script, stock).result()
        pool.shutdown(cancel_futures=True)


def snr(actual: Tensor, expected: Tensor) -> float:
    """Returns the signal-to-noise ratio in dB."""
    assert actual.shape == expected.shape
    noise = (actual.double() - expected.double()).square().sum()
    return math.inf if noise == 0 else float(10 * torch.log10(expected.double().square().sum() / noise))


def test_every_script_has_a_row() -> None:
    assert sorted([*INFERENCE, *TRAINING, "simplenet_amp_training"]) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_runs_unchanged(script: str, run: Callable[..., Run]) -> None:
    done = run(script).done
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "Execution finished"


@pytest.mark.parametrize("script", SCRIPTS)
def test_nothing_of_a_script_runs_degraded(script: str, run: Callable[..., Run]) -> None:
    assert DEGRADED.findall(run(script).done.stderr) == []


@pytest.mark.parametrize("script", INFERENCE)
def test_output_is_that_of_stock_pytorch(script: str, run: Callable[..., Run]) -> None:
    actual, expected = run(script).tensors, run(INFERENCE[script].reference, stock=True).tensors
    assert torch.equal(actual["data"], expected["data"])
    assert snr(actual["output"], expected["output"]) >= INFERENCE[script].snr


def test_mixed_precision_of_the_process_is_that_of_the_block(run: Callable[..., Run]) -> None:
    found = run("simplenet_amp_bf16").tensors
    assert torch.equal(found["process_output"], found["output"])


@pytest.mark.parametrize("script", TRAINING)
def test_losses_are_those_of_stock_pytorch(script: str, run: Callable[..., Run]) -> None:
    actual, expected = run(script).losses, run(TRAINING_REFERENCE, stock=True).losses
    assert len(actual) == len(expected) == 2
    assert actual[1] < actual[0]
    # The second loss comes of gradients, in which a random network magnifies every rounding.
    relative = (1e-5, 1e-3) if script.endswith("fp32") else (1e-3, 1e-2)
    assert actual[0] == pytest.approx(expected[0], rel=relative[0])
    assert actual[1] == pytest.approx(expected[1], rel=relative[1])


def test_losses_of_mixed_precision_are_those_of_stock_pytorch(run: Callable[..., Run]) -> None:
    name = "simplenet_amp_training"
    actual, expected = run(name).tensors["loss"], run(name, stock=True).tensors["loss"]
    torch.testing.assert_close(actual, expected, rtol=0.01, atol=0)


@pytest.mark.parametrize("script", TRAINING)
def test_checkpoint_is_that_of_stock_pytorch(script: str, run: Callable[..., Run]) -> None:
    actual, expected = run(script).checkpoint, run(TRAINING_REFERENCE, stock=True).checkpoint
    assert described(actual) == described(expected)
    # One ReLU that rounding turns over costs up to 0.05; without, float32 agrees to 1e-5.
    allowed = 0.1
    if script.endswith("bf16"):
        allowed = 1.3 * distance(run(AUTOCAST_REFERENCE, stock=True).checkpoint, expected)
    assert distance(actual, expected) <= allowed


def distance(actual: dict[str, Any], expected: dict[str, Any]) -> float:
    """Returns how far the sums of gradients are apart, relative to their size."""
    sums = [
        torch.cat([state[key]["momentum_buffer"].double().flatten() for key in sorted(state)])
        for state in (each["optimizer_state_dict"]["state"] for each in (actual, expected))
    ]
    return float((sums[0] - sums[1]).norm() / sums[1].norm())


def described(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Returns names, shapes and dtypes of weights and of the optimizer's state, and the optimizer's settings."""
    state = checkpoint["optimizer_state_dict"]["state"]
    return {
        "weights": {name: (value.shape, value.dtype) for name, value in checkpoint["model_state_dict"].items()},
        "state": {
            key: {name: (value.shape, value.dtype) for name, value in each.items()} for key, each in state.items()
        },
        "parameters": [group["params"] for group in checkpoint["optimizer_state_dict"]["param_groups"]],
    }


def test_checkpoints_are_read_without_the_package(run: Callable[..., Run]) -> None:
    code = (
        "import sys, torch\n"
        "for path in sys.argv[1:]: torch.load(path, weights_only=True)\n"
        "assert not [name for name in sys.modules if name.startswith('torch_ipex_device')]"
    )
    command = [sys.executable, "-c", code, *(str(run(script).folder / "checkpoint.pth") for script in TRAINING)]
    alone = environment(TORCH_DEVICE_BACKEND_AUTOLOAD="0")
    done = subprocess.run(command, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
