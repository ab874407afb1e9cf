"""torch.export, torch.compile and transforms of torch.func."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import forward_ad

from .cases import CASES, OPS, convolution, flat, numbers, stock_convolution, stock_linear
from .models import Model, assert_right, image, stock
from .weights import assert_used_as_it_is, use


@pytest.fixture
def model() -> Model:
    return Model().eval()


@pytest.fixture(autouse=True)
def nothing_stays_compiled():
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("dynamic", [False, True])
def test_export(dynamic, model):
    shapes = {"x": {0: torch.export.Dim("batch")}} if dynamic else None
    with torch.no_grad():
        program = torch.export.export(model, (image(),), dynamic_shapes=shapes)
    lowered = program.run_decompositions()
    targets = {str(node.target) for node in lowered.graph.nodes}
    assert {f"torch_ipex.{name}.default" for name in ("convolution", "linear", "lstm", "layer_norm", "gelu")} <= targets
    file = io.BytesIO()
    torch.export.save(lowered, file)
    file.seek(0)
    for made in (program, lowered, torch.export.load(file)):
        assert_right(made.module(), model, image(5 if dynamic else 2))


@pytest.mark.parametrize("dynamic", [False, True])
def test_aot_eager(dynamic, model):
    compiled = torch.compile(model, backend="aot_eager", dynamic=dynamic, fullgraph=True)
    assert_right(compiled, model, image())
    if dynamic:
        assert_right(compiled, model, image(5))
    x = image().requires_grad_()
    compiled(x).square().sum().backward()
    expected = torch.autograd.grad(stock(model, y := image().requires_grad_()).square().sum(), y)[0]
    torch.testing.assert_close(x.grad, expected, rtol=1e-4, atol=1e-5)
    model.first.weight.data.mul_(0.5)
    assert_right(compiled, model, image())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_inductor(layout):
    """Few loops beside the operators: compiling them takes the time."""
    kernel, weight = numbers(4, 3, 3, 3, seed=1).to(memory_format=layout).requires_grad_(), numbers(8, 36, seed=2)

    def program(x: torch.Tensor, convolution: Any, linear: Any) -> torch.Tensor:
        return linear(convolution(x, kernel, padding=1).flatten(2) * 2, weight, None, None, "tanh")

    @torch.compile(fullgraph=True)
    def compiled(x: torch.Tensor) -> torch.Tensor:
        return program(x, convolution, OPS.linear)

    x = numbers(2, 3, 6, 6)
    expected = program(x, stock_convolution, stock_linear)
    result = compiled(x)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)
    grads = [torch.autograd.grad(r.square().sum(), kernel)[0] for r in (result, expected)]
    torch.testing.assert_close(*grads, rtol=1e-3, atol=1e-4)


def test_compiled_programs_write_weights():
    weight = numbers(64, 64)

    @torch.compile
    def step(weight: torch.Tensor) -> None:
        weight.mul_(0.5).add_(1)

    for _ in range(3):
        use(weight)
        step(weight)
        assert_used_as_it_is(weight)


def test_functional_call(model):
    halved = {name: p.detach() / 2 for name, p in model.named_parameters()}
    with torch.no_grad():
        result = torch.func.functional_call(model, halved, (image(),))
        other = Model().eval()
        other.load_state_dict(halved, strict=False)
        torch.testing.assert_close(result, stock(other, image()), rtol=1e-4, atol=1e-5)
    assert_right(model, model, image())


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", ["linear", "convolution", "gelu", "layer_norm", "scaled_dot_product_attention"])
def test_vmap(name):
    first, *rest = CASES[name].arguments
    batch = torch.stack([first, first + 1, first * 2])
    with torch.no_grad():
        together = torch.func.vmap(lambda x: CASES[name].operator(x, *rest))(batch)
        for index in range(3):
            for a, e in zip(flat(together), flat(CASES[name].operator(batch[index], *rest)), strict=True):
                torch.testing.assert_close(a[index], e, rtol=1e-5, atol=1e-5)


def test_vmap_of_lists_is_refused():
    x, *rest = CASES["lstm"].arguments
    with pytest.raises(RuntimeError, match="Batching rule not implemented for torch_ipex::lstm"):
        torch.func.vmap(lambda x: OPS.lstm(x, *rest))(torch.stack([x, x]))


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_vmap_over_weights():
    x, w = numbers(5, 64), numbers(3, 32, 64, seed=1)
    with torch.no_grad():
        together = torch.func.vmap(OPS.linear, (None, 0))(x, w)
    torch.testing.assert_close(together, torch.stack([F.linear(x, row) for row in w]), rtol=1e-4, atol=1e-4)


def test_gradients_of_torch_func_are_refused():
    """PyTorch has none for autograd functions in C++, and says so."""
    x, w, _ = CASES["linear"].arguments
    with pytest.raises(RuntimeError, match="functorch transforms"):
        torch.func.grad(lambda w: OPS.linear(x, w).sum())(w)


FORWARD = ("linear", "convolution", "gelu", "layer_norm", "scaled_dot_product_attention", "lstm")


@pytest.mark.parametrize("name", FORWARD)
def test_forward_mode(name):
    """Either it is right or it is refused."""
    first, *rest = CASES[name].arguments
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(first, torch.ones_like(first))
        try:
            result = CASES[name].operator(dual, *rest)
        except (RuntimeError, NotImplementedError):
            return
        expected = CASES[name].reference(dual, *rest)
        tangents = [[forward_ad.unpack_dual(t).tangent for t in flat(r)] for r in (result, expected)]
    for ours, stocks in zip(*tangents, strict=True):
        assert ours is not None
        torch.testing.assert_close(ours, stocks, rtol=1e-4, atol=1e-4)
