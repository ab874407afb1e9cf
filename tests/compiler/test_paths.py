"""Both paths give stock PyTorch's results: inference, shapes that change, branches, views, results and their strides."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex
from accuracy import sqnr

from .running import Warnings, assert_close, compiled


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Warnings:
    return Warnings(caplog, monkeypatch)


class Net(nn.Module):
    """Convolutions with batch norm and a shortcut, then a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.norm1 = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16)
        self.conv2, self.norm2 = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.last = nn.Linear(16, 10)
        for norm in (self.norm1, self.norm2):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(x))
        y += x
        return self.last(F.adaptive_avg_pool2d(F.relu(y), 1).flatten(1))


class Attention(nn.Module):
    """One layer of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(20, 32)
        self.qkv, self.out = nn.Linear(32, 96), nn.Linear(32, 32)
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)
        self.norm = nn.LayerNorm(32)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + torch.arange(tokens.shape[1])[None, :, None] / 100
        q, k, v = (part.unflatten(-1, (4, 8)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return self.norm(x + self.down(F.gelu(self.up(x))))


def image(*sizes: int, seed: int = 1) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_images(path: str, layout: torch.memory_format, log: Warnings) -> None:
    model, x = Net().eval(), image(2, 3, 16, 16).contiguous(memory_format=layout)
    run = compiled(model)
    with torch.no_grad():
        for _ in range(4):
            assert_close(run(x), model(x))
    assert log.texts == []


def test_transformer(path: str, log: Warnings) -> None:
    model, tokens = Attention().eval(), torch.arange(14).view(2, 7)
    run = compiled(model)
    with torch.no_grad():
        for _ in range(4):
            assert_close(run(tokens), model(tokens))
    assert log.texts == []


def test_our_kernels_run(path: str) -> None:
    model, x = Net().eval(), image(2, 3, 16, 16)
    run = compiled(model)
    with torch.no_grad():
        run(x), run(x)
        with ipex.explain() as explanation:
            run(x)
    fused = {row.operator for row in explanation.rows if row.path == "native"}
    assert {"convolution+batch_norm+relu", "convolution+batch_norm+add+relu"} <= fused
    assert not any(row.path == "fallback" for row in explanation.rows)


@pytest.mark.parametrize("dynamic", [None, True, False])
def test_sizes_that_change(path: str, dynamic: bool | None, log: Warnings) -> None:
    model = Net().eval()
    run = compiled(model, dynamic=dynamic)
    with torch.no_grad():
        for batch, size in ((2, 16), (3, 16), (4, 24), (2, 16), (5, 18)):
            x = image(batch, 3, size, size)
            assert_close(run(x), model(x))
    assert log.texts == []


def test_more_sizes_than_traces_run_eagerly() -> None:
    ipex._set_compiler_backend("torchscript")
    model = Attention().eval()
    run = compiled(model, dynamic=True)
    with torch.no_grad():
        for length in range(2, 24):
            tokens = torch.arange(2 * length).view(2, length) % 20
            assert_close(run(tokens), model(tokens))


def test_weights_that_change_are_seen(path: str) -> None:
    model, x = Net().eval(), image(2, 3, 16, 16)
    run = torch.compile(model, backend="ipex")
    with torch.no_grad():
        for number in range(5):
            for _ in range(3):
                assert_close(run(x), copy.deepcopy(model)(x))
            other = Net()
            other.conv1.weight.mul_(number + 1)
            if number % 2:
                model.load_state_dict(other.state_dict())
            else:
                model.conv2.weight.data.mul_(0.7)
                model.last.bias += 1
                model.norm2.running_mean += 0.3  # type: ignore[operator]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_around_the_call(path: str, dtype: torch.dtype, log: Warnings) -> None:
    for model, x in ((Net().eval(), image(2, 3, 16, 16)), (Attention().eval(), torch.arange(14).view(2, 7))):
        run, exact = compiled(model), copy.deepcopy(model).double()
        with torch.no_grad():
            reference = exact(x.double() if x.is_floating_point() else x)
            with torch.autocast("cpu", dtype):
                results, stock = [run(x) for _ in range(3)], model(x)
        for result in results:
            assert result.dtype == stock.dtype
            assert sqnr(result, reference) > sqnr(stock, reference) - 1
    assert log.texts == []


def test_autocast_inside(path: str, log: Warnings) -> None:
    model = Net().eval()

    def program(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            y = model(x)
        return y.float() * 2

    x = image(2, 3, 16, 16)
    with torch.no_grad():
        run = compiled(program)
        for _ in range(3):
            assert sqnr(run(x), program(x)) > 30
    assert log.texts == []


def test_bfloat16_models(path: str, log: Warnings) -> None:
    model, x = Net().eval().bfloat16(), image(2, 3, 16, 16).bfloat16()
    run = compiled(model)
    with torch.no_grad():
        for _ in range(3):
            assert sqnr(run(x), model(x)) > 30
    assert log.texts == []


def test_float64_is_stock_pytorchs(path: str) -> None:
    model, x = Net().eval().double(), image(2, 3, 16, 16).double()
    with torch.no_grad():
        torch.testing.assert_close(compiled(model)(x), model(x))


def test_a_branch_on_values(path: str) -> None:
    model = Net().eval()

    def program(x: Tensor) -> Tensor:
        y = model(x)
        return y * 2 if y.sum() > 0 else y - 1

    run = compiled(program)
    with torch.no_grad():
        for seed in range(4):
            x = image(2, 3, 16, 16, seed=seed)
            assert_close(run(x), program(x))


def test_a_graph_break(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = Net().eval()

    def program(x: Tensor) -> Tensor:
        y = model(x)
        print("between")
        return F.relu(y) + 1

    run, x = compiled(program), image(2, 3, 16, 16)
    with torch.no_grad():
        assert_close(run(x), program(x))
    assert capsys.readouterr().out == "between\nbetween\n"


def test_an_input_that_is_written(path: str) -> None:
    def program(x: Tensor) -> Tensor:
        x[:, 0].mul_(2)
        return F.relu(x) + 1

    mine, stock = image(2, 3, 4, 4), image(2, 3, 4, 4)
    with torch.no_grad():
        assert_close(compiled(program)(mine), program(stock))
    assert torch.equal(mine, stock)


def test_a_buffer_that_is_written(path: str) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.layer(x) * self.calls

    model = Counting()
    stock = copy.deepcopy(model)
    run = torch.compile(model, backend="ipex")
    with torch.no_grad():
        for _ in range(3):
            x = image(2, 4)
            assert_close(run(x), stock(x))
    assert torch.equal(model.calls, stock.calls)  # type: ignore[arg-type]


def test_batch_statistics_without_gradients(path: str) -> None:
    model = Net().train()
    stock, x = copy.deepcopy(model), image(4, 3, 16, 16)
    run = torch.compile(model, backend="ipex")
    with torch.no_grad():
        for _ in range(2):
            assert_close(run(x), stock(x))
    assert_close(dict(model.named_buffers()), dict(stock.named_buffers()))


def test_results_have_the_strides_of_the_program(path: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).eval()
    for x in (image(2, 3, 8, 8), image(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)):
        with torch.no_grad():
            result, expected = compiled(model)(x), model(x)
        assert result.stride() == expected.stride()
        assert_close(result, expected)


def test_a_view_that_needs_the_order_of_the_program(path: str, log: Warnings) -> None:
    model = nn.Conv2d(3, 8, 3).eval()

    def program(x: Tensor) -> Tensor:
        return model(x).view(x.shape[0], -1) * 2

    x = image(2, 3, 8, 8)
    with torch.no_grad():
        assert_close(compiled(program)(x), program(x))
    assert log.texts == []


def test_many_kinds_of_results(path: str) -> None:
    layer = nn.Linear(4, 4).eval()

    def program(x: Tensor, flag: bool) -> Any:
        y = layer(x)
        return {"list": [y, None, 3], "pair": (y.sum(), x.shape[0]), "flag": flag, "int": y.argmax(-1)}

    x = image(2, 4)
    with torch.no_grad():
        result, expected = compiled(program)(x, True), program(x, True)
    assert result["flag"] is True
    assert result["list"][1:] == [None, 3]
    assert result["pair"][1] == 2
    assert_close([result["list"][0], result["pair"][0]], [expected["list"][0], expected["pair"][0]])
    assert torch.equal(result["int"], expected["int"])


@pytest.mark.parametrize("factory", ["arange", "zeros", "full", "ones", "tensor", "randn"])
def test_tensors_that_the_program_makes(path: str, factory: str) -> None:
    layer = nn.Linear(4, 4).eval()
    make = {
        "arange": lambda: torch.arange(4),
        "zeros": lambda: torch.zeros(4, device="cpu"),
        "full": lambda: torch.full((4,), 2.0),
        "ones": lambda: torch.ones(4, dtype=torch.float32, device=torch.device("cpu")),
        "tensor": lambda: torch.tensor([1.0, 2.0, 3.0, 4.0]),
        "randn": lambda: torch.randn(4),
    }[factory]

    def program(x: Tensor) -> Tensor:
        return layer(x) + make() + layer(x).to("cpu").cpu()

    x = image(2, 4)
    with torch.no_grad():
        run = compiled(program)
        torch.manual_seed(3)
        result = run(x)
        torch.manual_seed(3)
        expected = program(x)
    assert result.shape == expected.shape
    if factory != "randn" or path == "torchscript":  # Inductor has random numbers of its own
        assert_close(result, expected)


def test_models_on_ipex(path: str, log: Warnings) -> None:
    model, x = Net().eval(), image(2, 3, 16, 16)
    with torch.no_grad():
        expected = model(x)
        there = copy.deepcopy(model).to("ipex")
        run = torch.compile(there, backend="ipex")
        for _ in range(3):
            result = run(x.to("ipex"))
            assert result.device.type == "ipex"
            assert_close(result.cpu(), expected)
        with ipex.explain() as explanation:
            run(x.to("ipex")).cpu()
    assert "convolution+batch_norm+add+relu" in {row.operator for row in explanation.rows}
    assert log.texts == []


def test_inference_mode_and_no_gradients_needed(path: str) -> None:
    model, x = Net().eval(), image(2, 3, 16, 16)
    expected = model(x).detach()
    with torch.inference_mode():
        assert_close(compiled(model)(x), expected)
    model.requires_grad_(False)
    assert_close(compiled(model)(x), expected)


def test_threads_share_a_compiled_model(path: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    model, x = Net().eval(), image(2, 3, 16, 16)
    run = compiled(model)
    with torch.no_grad():
        expected = model(x)
        run(x)

    def one(_: int) -> Tensor:
        with torch.no_grad():
            return run(x)

    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(one, range(16)):
            assert_close(result, expected)
