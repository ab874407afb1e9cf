"""Programs of many operators: fused chains, models, training steps, mixed precision, INT8, copies of models."""

from __future__ import annotations

import contextlib
import copy
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import torch_ipex_device as ipex

from .operators import gradients, randn
from .program import Program


class Block(nn.Module):
    """Two convolutions with batch norm and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.first(x)))
        return F.relu(self.norm2(self.second(y)) + x)


with torch.random.fork_rng():
    torch.manual_seed(0)
    CNN = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), Block(16), nn.MaxPool2d(2), Block(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(16, 10),
    )  # fmt: skip
    LSTM = nn.LSTM(24, 32, 2, batch_first=True)
    TRANSFORMER = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, activation="gelu", batch_first=True)
    MLP = nn.Sequential(nn.Linear(64, 300), nn.GELU(), nn.Linear(300, 64), nn.Tanh())
IMAGES, WORDS = randn(2, 3, 16, 16), randn(2, 9, 32)


@torch.no_grad()
def infer(model: nn.Module, x: Tensor) -> Any:
    return model.eval()(x)


@torch.no_grad()
def chain(x: Tensor, w: Tensor, m: Tensor, v: Tensor, other: Tensor) -> list[Tensor]:
    y = F.conv2d(x, w, padding=1)
    return [F.relu(F.batch_norm(y, m, v + 1) + other), y]


@torch.no_grad()
def chain_in_place(x: Tensor, w: Tensor, other: Tensor) -> list[Tensor]:
    y = F.linear(x, w)
    z = F.gelu(y)
    y += other
    return [z, y.relu_()]


@torch.no_grad()
def chain_of_written(x: Tensor, w: Tensor) -> list[Tensor]:
    y = F.linear(x, w)
    x.zero_()
    return [y]


@torch.no_grad()
def many_open(x: Tensor, w: Tensor) -> list[Tensor]:
    results = [F.linear(x + i, w).sigmoid() for i in range(7)]
    return [results[0] + results[5], *results]


def train(model: nn.Module, x: Tensor, optimizer: Any, **options: Any) -> list[Tensor]:
    """Returns the parameters after two steps."""
    steps = optimizer(model.parameters(), **options)
    model.train()
    for _ in range(2):
        steps.zero_grad()
        model(x).square().mean().backward()
        steps.step()
    return list(model.parameters())


def train_sgd(model: nn.Module, x: Tensor) -> list[Tensor]:
    return train(model, x, torch.optim.SGD, lr=0.01, momentum=0.9)


def train_adam(model: nn.Module, x: Tensor) -> list[Tensor]:
    return train(model, x, torch.optim.AdamW, lr=0.001, eps=0.01)


def train_fused(model: nn.Module, x: Tensor) -> list[Tensor]:
    return train(model, x, torch.optim.Adam, lr=0.001, eps=0.01, fused=True)


def train_optimized(model: nn.Module, x: Tensor) -> list[Tensor]:
    optimizer = torch.optim.SGD(model.train().parameters(), lr=0.01, momentum=0.9)
    made, optimizer = ipex.optimize(model, dtype=torch.bfloat16, optimizer=optimizer)
    for _ in range(2):
        optimizer.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16):
            loss = made(x).float().square().mean()
        loss.backward()
        optimizer.step()
    return [value for value in made.state_dict().values() if value.is_floating_point()]


def precision(x: Tensor, mode: str) -> Any:
    """Mixed precision in bfloat16; for CPU tensors too, where it changes nothing."""
    return ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16), running_mode=mode)


def infer_bfloat16(model: nn.Module, x: Tensor) -> Any:
    with precision(x, "inference"):
        return infer(model, x)


def infer_process_bfloat16(model: nn.Module, x: Tensor) -> Any:
    ipex.enable_auto_mixed_precision(torch.bfloat16)
    try:
        return infer(model, x)
    finally:
        ipex.enable_auto_mixed_precision(None)


def train_bfloat16(model: nn.Module, x: Tensor) -> list[Tensor]:
    with precision(x, "training"):
        return train_sgd(model, x)


def infer_autocast(model: nn.Module, x: Tensor) -> Any:
    with torch.autocast(x.device.type, torch.bfloat16):
        return infer(model, x)


def infer_int8(model: nn.Module, x: Tensor) -> Any:
    conf = ipex.AmpConf(torch.int8)
    on_device = x.device.type == "ipex"
    for mode in ("calibration", "inference"):
        with ipex.AutoMixPrecision(conf, running_mode=mode) if on_device else contextlib.nullcontext():
            y = infer(model, x).cpu()
    return y


def calibrate_unread(model: nn.Module, x: Tensor) -> list[Tensor]:
    """What is still open at the end of the block is computed there."""
    with torch.no_grad(), ipex.AutoMixPrecision(ipex.AmpConf(torch.int8), running_mode="calibration"):
        y = model.eval()(x)
    return [y]


@torch.no_grad()
def write_bfloat16(x: Tensor, w: Tensor) -> list[Tensor]:
    with precision(x, "inference"):
        y = F.conv2d(x, w)
        z = y.view(-1).clone()
        y.add_(1).relu_()
        y[:, 2:].mul_(2)
        return [y, z, y.clone() + y]


@torch.no_grad()
def without_fusion(model: nn.Module, x: Tensor) -> list[Tensor]:
    y = model.eval()(x)
    before = torch.ipex.eager_fusion()
    torch.ipex.set_eager_fusion(False)
    try:
        return [y, model(x)]
    finally:
        torch.ipex.set_eager_fusion(before)


def explained(model: nn.Module, x: Tensor) -> Any:
    with ipex.explain():
        return infer(model, x)


def in_threads(model: nn.Module, x: Tensor) -> list[Tensor]:
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(infer, model, x + i) for i in range(2)]
    return [run.result() for run in runs]


def backward_in_thread(model: nn.Module, x: Tensor) -> list[Tensor]:
    with ThreadPoolExecutor(1) as pool:
        return list(pool.submit(torch.autograd.grad, model(x).square().sum(), list(model.parameters())).result())


def infer_optimized(model: nn.Module, x: Tensor) -> Any:
    return infer(ipex.optimize(model.eval()), x)


def double_backward(x: Tensor, w: Tensor) -> list[Tensor]:
    (first,) = torch.autograd.grad(F.conv2d(x, w).square().sum(), [x], create_graph=True)
    return list(torch.autograd.grad(first.square().sum(), [x, w]))


def accumulate(model: nn.Module, x: Tensor) -> list[Any]:
    model.zero_grad()
    for _ in range(2):
        model(x).square().mean().backward()
    made = [parameter.grad for parameter in model.parameters()]
    model.zero_grad()
    return made


def checkpointed(model: nn.Module, x: Tensor) -> list[Tensor]:
    y = checkpoint(model, x, use_reentrant=False)
    return list(torch.autograd.grad(y.square().sum(), list(model.parameters())))


def mapped(x: Tensor, w: Tensor) -> Tensor:
    return torch.func.vmap(torch.func.grad(lambda row: (w @ row).sin().sum()))(x)


def copied(model: nn.Module, x: Tensor) -> list[Tensor]:
    infer(model, x)
    twin = copy.deepcopy(model)
    twin.load_state_dict(model.state_dict())
    file = io.BytesIO()
    torch.save(twin.state_dict(), file)
    file.seek(0)
    return [infer(twin, x), *torch.load(file).values()]


def moved(model: nn.Module, x: Tensor) -> list[Tensor]:
    infer(model, x)
    there = copy.deepcopy(model).cpu()
    return [infer(there, x.cpu()), infer(there.to(x.device), x)]


MODELS = [
    Program("conv+bn+add+relu", chain, (randn(2, 16, 9, 9), randn(16, 16, 3, 3), randn(16), randn(16).abs(), randn(2, 16, 9, 9))),
    Program("linear+gelu", chain_in_place, (randn(9, 128), randn(200, 128), randn(9, 200)), coefficient=100),
    Program("write what a chain reads", chain_of_written, (randn(9, 128), randn(200, 128)), writes=(0,)),
    Program("many open", many_open, (randn(9, 128), randn(200, 128))),
    Program("cnn", infer, (CNN, IMAGES), coefficient=100),
    Program("mlp", infer, (MLP, randn(9, 64)), coefficient=100),
    Program("lstm", infer, (LSTM, randn(3, 7, 24)), coefficient=100),
    Program("transformer", infer, (TRANSFORMER, WORDS), coefficient=100),
    Program("cnn optimized", infer_optimized, (CNN, IMAGES), coefficient=100),
    Program("transformer optimized", infer_optimized, (TRANSFORMER, WORDS), coefficient=100),
    # bfloat16 and int8 are coarser than the reference.
    Program("cnn bfloat16", infer_bfloat16, (CNN, IMAGES), coefficient=3e3),
    Program("cnn bfloat16 process", infer_process_bfloat16, (CNN, IMAGES), coefficient=3e3),
    Program("transformer bfloat16", infer_bfloat16, (TRANSFORMER, WORDS), coefficient=1e5),
    Program("mlp autocast", infer_autocast, (MLP, randn(9, 64)), coefficient=3e3),
    Program("cnn int8", infer_int8, (CNN, IMAGES), coefficient=1e4),
    Program("calibrate, read later", calibrate_unread, (MLP, randn(9, 64)), coefficient=100),
    Program("write bfloat16", write_bfloat16, (randn(2, 16, 9, 9), randn(16, 16, 3, 3)), coefficient=1e5),
    Program("without fusion", without_fusion, (CNN, IMAGES), coefficient=100),
    Program("explain", explained, (CNN, IMAGES), coefficient=100),
    Program("threads", in_threads, (CNN, IMAGES), coefficient=100),
    Program("backward in a thread", backward_in_thread, (MLP, randn(9, 64)), coefficient=100),
    Program("train cnn sgd", train_sgd, (CNN, IMAGES), writes=(0,), coefficient=100),
    Program("train transformer adamw", train_adam, (TRANSFORMER, WORDS), writes=(0,), coefficient=100),
    Program("train mlp fused adam", train_fused, (MLP, randn(9, 64)), writes=(0,), coefficient=100),
    Program("train lstm", lambda model, x: gradients(lambda x: model(x)[0])(x), (LSTM, randn(3, 7, 24).requires_grad_()), coefficient=100),
    Program("train cnn bfloat16", train_bfloat16, (CNN, IMAGES), writes=(0,), coefficient=3e3),
    Program("train cnn optimized", train_optimized, (CNN, IMAGES), writes=(0,), coefficient=1e4),
    Program("double backward", double_backward, (randn(2, 4, 7, 7).requires_grad_(), randn(4, 4, 3, 3).requires_grad_()), coefficient=1e3),
    Program("accumulate gradients", accumulate, (MLP, randn(9, 64)), coefficient=100),
    Program("checkpoint", checkpointed, (TRANSFORMER, WORDS), coefficient=1e3),
    Program("vmap", mapped, (randn(5, 20), randn(30, 20)), coefficient=100),
    Program("copy model", copied, (CNN, IMAGES), coefficient=100),
    Program("move model", moved, (CNN, IMAGES), coefficient=100),
]  # fmt: skip
