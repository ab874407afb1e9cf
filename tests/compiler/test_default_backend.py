"""`torch.compile` with its default backend on ipex tensors: the results of eager ipex programs, on native kernels."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch._inductor.utils import run_and_get_code

import torch_ipex_device as ipex
from accuracy import difference
from torch_ipex_device.compiler import inductor

from .running import assert_close

DEVICE = ipex.DEVICE


def there(*shape: int) -> Tensor:
    return torch.randn(*shape).to(DEVICE)


def in_place(x: Tensor) -> Tensor:
    y = x[1:]
    y.add_(1)
    x[0] = 5
    return x * 2


def indices(x: Tensor) -> Tensor:
    i = torch.tensor([0, 2, 2], device=DEVICE)
    found = [x[i], x.scatter_add(0, i[:, None].expand(-1, x.shape[1]), x[:3]), x.sort(0).values, x.cumsum(1)]
    return torch.cat(found).topk(2, -1).values


PROGRAMS: dict[str, Callable[[Tensor], Any]] = {
    "pointwise": lambda x: (x + 1).relu() * 2,
    "reductions": lambda x: (torch.softmax(x @ x.T, -1).sum(0), x.var(1), x.argmax(1), x.amin()),
    "in place": in_place,
    "indices": indices,
    "made there": lambda x: x.new_ones(3) + torch.arange(3, device=x.device),
    "to CPU and back": lambda x: (x.cpu() * 2).to(x.device) + 1,
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None], is_causal=True),
    "bfloat16": lambda x: x.bfloat16() * 3,  # sums between would not be rounded
    "integers": lambda x: (x * 10).long() // 3 + (x > 0),
    "complex": lambda x: torch.fft.fft(x).abs(),
    "views": lambda x: x.t().reshape(-1)[2:].view(2, -1).chunk(2),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("dynamic", [False, True])
def test_programs(name: str, dynamic: bool) -> None:
    made = torch.compile(PROGRAMS[name], dynamic=dynamic, fullgraph=name != "complex")
    for rows in (5, 7):
        x = torch.randn(rows, 6)
        expected, given, again = PROGRAMS[name], x.to(DEVICE), x.clone().to(DEVICE)
        torch.testing.assert_close(made(given), expected(again))
        assert torch.equal(given, again)
        assert all(each.device.type == "ipex" for each in [made(given)] if isinstance(each, Tensor))


class Net(nn.Module):
    """Convolutions with batch norm and a shortcut, then layer norm and linear layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.norm1 = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16)
        self.conv2, self.norm2 = nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.up, self.layer_norm, self.down = nn.Linear(16, 64), nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(x))
        y += x
        return self.down(self.layer_norm(F.gelu(self.up(F.relu(y).mean((2, 3))))))


def test_inference_runs_our_kernels() -> None:
    model, x = Net().eval(), torch.randn(2, 3, 20, 20)
    exact = copy.deepcopy(model).double()(x.double())
    model.to(DEVICE)
    made = torch.compile(model, fullgraph=True)
    with torch.no_grad():
        for _ in range(3):
            result = made(x.to(DEVICE))
        assert difference(result.cpu(), exact) < 1e-5
        torch.ipex.reset_fallback_stats()
        ipex._C.reset_operator_stats()
        made(x.to(DEVICE))
        native = {name for name, (count, _) in ipex._C.operator_stats().items() if count}
    assert {"aten::convolution", "aten::linear"} <= native
    assert not torch.ipex.fallback_stats()


def test_weights_keep_their_packed_form() -> None:
    """A generated kernel that reads a weight reads its plain bytes and leaves the rest."""
    layer, x = nn.Linear(256, 256).to(DEVICE).eval(), there(4, 256)
    with torch.no_grad():
        for _ in range(3):
            layer(x)
        packed = torch.ipex.physical_form(layer.weight).packed
        made = torch.compile(lambda weight: (weight * 2).sum(1), fullgraph=True)
        torch.testing.assert_close(made(layer.weight), (layer.weight * 2).sum(1))
    assert packed
    assert torch.ipex.physical_form(layer.weight).packed == packed


def test_open_values_are_computed() -> None:
    layer, x = nn.Conv2d(3, 8, 3).to(DEVICE).eval(), there(1, 3, 9, 9)
    made = torch.compile(lambda y: y * 2 + 1, fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(made(layer(x).relu()), layer(x).relu() * 2 + 1)


def trained(model: nn.Module, forward: Callable[..., Tensor], steps: int = 3) -> list[Tensor]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for step in range(steps):
        x = torch.randn(4, 3, 20, 20, generator=torch.Generator().manual_seed(step)).to(DEVICE)
        optimizer.zero_grad()
        forward(x).square().mean().backward()
        optimizer.step()
    return [each.detach().cpu() for each in (*model.parameters(), *model.buffers())]


def test_training() -> None:
    eager, compiled = Net().to(DEVICE), Net().to(DEVICE)
    for actual, expected in zip(
        trained(compiled, torch.compile(compiled, fullgraph=True)), trained(eager, eager), strict=True
    ):
        assert_close(actual, expected, 40)


def test_training_packs_no_weights_of_linear_layers() -> None:
    """The next step writes them."""
    model = nn.Sequential(nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 256)).to(DEVICE)
    made, x = torch.compile(model, fullgraph=True), there(64, 256)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(3):
        ipex._C.reset_form_statistics()
        optimizer.zero_grad()
        made(x).square().mean().backward()
        optimizer.step()
    assert ipex._C.form_statistics()["packs"] == 0


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_compiled_optimizer_steps(name: str) -> None:
    """Its state is no input of the graph but a part of it."""
    values = []
    for compiles in (False, True):
        torch.manual_seed(0)
        layer = nn.Linear(8, 8).to(DEVICE)
        optimizer = getattr(torch.optim, name)(layer.parameters(), lr=0.1, weight_decay=0.1)
        step = torch.compile(optimizer.step) if compiles else optimizer.step
        for _ in range(3):
            optimizer.zero_grad()
            layer(torch.ones(2, 8, device=DEVICE)).square().sum().backward()
            step()
        values.append([layer.weight.detach().cpu(), *optimizer.state_dict()["state"].get(0, {}).values()])
    torch.testing.assert_close(values[1], values[0])


def test_random_numbers_are_those_of_the_eager_program() -> None:
    def draw(x: Tensor) -> Tensor:
        x = F.dropout(x, 0.5) + torch.rand_like(x) + torch.randn(x.shape, device=x.device)
        return x + torch.randint(0, 9, x.shape, device=x.device) + torch.bernoulli(x.new_full(x.shape, 0.3))

    x, made = there(50), torch.compile(draw, fullgraph=True)
    for seed in range(2):
        torch.manual_seed(seed)
        expected = draw(x)
        torch.manual_seed(seed)
        torch.testing.assert_close(made(x), expected)


@pytest.mark.parametrize("inside", [False, True])
def test_autocast(inside: bool) -> None:
    model, x = Net().to(DEVICE).eval(), there(2, 3, 20, 20)

    def forward(x: Tensor) -> Tensor:
        with torch.autocast("ipex", torch.bfloat16, enabled=inside):
            return model(x)

    made = torch.compile(forward, fullgraph=True)
    with torch.no_grad(), torch.autocast("ipex", torch.bfloat16, enabled=not inside):
        expected, result = forward(x), made(x)
    assert result.dtype == expected.dtype
    assert difference(result.cpu(), expected.cpu()) < 0.02


def test_mixed_precision_may_be_switched_at_any_time() -> None:
    model, x = Net().to(DEVICE).eval(), there(2, 3, 20, 20)
    made, conf = torch.compile(model, fullgraph=True), ipex.AmpConf(torch.bfloat16)
    with torch.no_grad():
        before = made(x)
        with ipex.AutoMixPrecision(conf):
            mixed, expected = made(x), model(x)
        assert torch.equal(mixed, expected)
        assert not torch.equal(mixed, before)
        assert torch.equal(made(x), before)


def test_mixed_precision_in_training() -> None:
    model, conf = Net().to(DEVICE), ipex.AmpConf(torch.bfloat16)
    grads = []
    for forward in (model, torch.compile(model, fullgraph=True)):
        model.zero_grad()
        with ipex.AutoMixPrecision(conf, running_mode="training"):
            result = forward(torch.ones(2, 3, 20, 20, device=DEVICE))
        result.sum().backward()
        grads.append([each.grad.cpu() for each in model.parameters() if each.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


@pytest.mark.parametrize("mode", ["reduce-overhead", "max-autotune"])
def test_modes(mode: str) -> None:
    layer, x = nn.Linear(8, 8).to(DEVICE), there(4, 8)
    torch.testing.assert_close(torch.compile(layer, mode=mode)(x), layer(x))


@pytest.mark.parametrize(("device", "backend"), [("ipex", "inductor"), ("cpu", "ipex")])
@pytest.mark.parametrize("dynamic", [False, True])
def test_convolutions_are_called_directly(device: str, backend: str, dynamic: bool) -> None:
    """By the operator's name in `torch.ops`, parsing the arguments takes longer than a small convolution."""
    layer, x = nn.Conv2d(3, 8, 3).to(device).eval(), torch.randn(2, 3, 9, 9).to(device)
    with torch.no_grad():
        made = torch.compile(layer, fullgraph=True, backend=backend, dynamic=dynamic)
        result, (code,) = run_and_get_code(made, x)
        assert_close(result, layer(x))
    assert "_ipex_convolution(" in code
    assert "torch.ops.torch_ipex.convolution.default(" not in code


def test_direct_calls_are_those_of_the_operator() -> None:
    x, weight, bias = there(2, 8, 9, 9), there(4, 8, 3, 3), there(4)
    rest = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    norm = (there(4), there(4).square() + 0.5, there(4), there(4), 1e-3)
    given = [((x, weight, bias, *rest), {}), ((x, weight, None, *rest, there(2, 4, 9, 9), "relu", *norm), {})]
    given += [((x, weight, None, *rest), {"norm_mean": norm[0], "norm_var": norm[1], "norm_eps": 0.5})]
    operator = torch.ops.torch_ipex.convolution.default
    with torch.no_grad():
        for args, named in given:
            assert torch.equal(ipex._C.convolution(*args, **named), operator(*args, **named))
    weight.requires_grad_()
    ipex._C.convolution(x, weight, bias, *rest).sum().backward()
    direct, weight.grad = weight.grad, None
    operator(x, weight, bias, *rest).sum().backward()
    assert torch.equal(direct, weight.grad)
    with pytest.raises(RuntimeError, match="E102"):
        ipex._C.convolution(x, weight.detach().cpu(), None, *rest)
    with pytest.raises(TypeError, match="convolution"):
        ipex._C.convolution(x, weight)


def test_caches_are_those_of_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    model, x = nn.Linear(8, 8).to(DEVICE), there(2, 8)

    def looked_up() -> dict[str, int]:
        torch._dynamo.reset()
        counters.clear()
        torch.compile(model)(x).sum().backward()
        return {name: counters["aot_autograd"][f"autograd_cache_{name}"] for name in ("hit", "miss")}

    assert looked_up() == {"hit": 0, "miss": 1}
    assert looked_up() == {"hit": 1, "miss": 0}
    monkeypatch.setattr(inductor, "__version__", "another")
    assert looked_up() == {"hit": 0, "miss": 1}
    assert not counters["inductor"]["fxgraph_cache_hit"]  # backward too


def test_cpp_wrapper_is_refused() -> None:
    with pytest.raises(Exception, match=r"\[torch.compile\] E104 got cpp_wrapper=True"):
        torch.compile(lambda x: x + 1, options={"cpp_wrapper": True})(there(3))


def test_cpu_graphs_stay_as_they_are() -> None:
    model, x = Net().eval(), torch.randn(2, 3, 20, 20)
    made = torch.compile(model, fullgraph=True)
    with torch.no_grad():
        assert_close(made(x), model(x))
