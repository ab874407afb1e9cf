"""Linear layers that read the same tensor are one product; whoever calls them otherwise gets the same numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from .nets import assert_as_exact, assert_near, assert_same_state, exact, optimize, run


class Three(nn.Module):
    """Linear layers with names that are not guessed, and a way to use them."""

    def __init__(self, use: Callable[[Any, Tensor], Tensor], bias: bool = True, names: str = "a b c") -> None:
        super().__init__()
        for name, features in zip(names.split(), (6, 9, 6), strict=True):
            setattr(self, name, nn.Linear(8, features, bias))
        self.use = use

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, x)


def together(m: Any, x: Tensor) -> Tensor:
    return torch.cat([m.a(x), m.b(x) * 2, m.c(x) + 1], -1)


def siblings(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if "_ipex_siblings" in vars(module)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(8,), (4, 8), (2, 3, 8), (0, 8)])
@pytest.mark.parametrize("prepack", [False, True])
def test_results(bias: bool, shape: tuple[int, ...], prepack: bool) -> None:
    model = Three(together, bias).eval()
    made = optimize(model, concat_linear=True, weights_prepack=prepack)
    assert siblings(made) == ["a", "b", "c"]
    assert_as_exact(model, made, torch.randn(shape))
    assert siblings(made) == ["a", "b", "c"]


def test_one_product_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch_ipex_device.frontend import functional

    sizes: list[tuple[int, ...]] = []
    linear = functional.linear
    monkeypatch.setattr(functional, "linear", lambda x, w, b: sizes.append(tuple(w.shape)) or linear(x, w, b))
    run(optimize(Three(together).eval(), concat_linear=True), torch.randn(4, 8))
    assert sizes == [(21, 8)]


def test_it_is_off_by_default() -> None:
    assert siblings(optimize(Three(together).eval())) == []


def test_weights_are_there_once() -> None:
    made = optimize(Three(together).eval(), concat_linear=True)
    assert made.a.weight.untyped_storage().data_ptr() == made.c.weight.untyped_storage().data_ptr()
    assert_same_state(copy.deepcopy(made).state_dict(), made.state_dict())


@pytest.mark.parametrize(
    "use",
    [
        lambda m, x: torch.cat([m.a(x), m.b(x + 1), m.c(x * 2)], -1),
        lambda m, x: torch.cat([m.a(x), m.a(x + 1), m.b(x), m.c(x)], -1),
    ],
    ids=["other inputs", "called twice"],
)
def test_what_are_no_siblings(use: Callable[[Any, Tensor], Tensor]) -> None:
    model = Three(use).eval()
    made = optimize(model, concat_linear=True)
    assert "a" not in siblings(made)
    assert_as_exact(model, made, torch.randn(4, 8))


def untraceable(use: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    return lambda m, x: use(m, x) if x.sum() != 12345 else x


GUESSES: dict[str, tuple[Callable[[Any, Tensor], Tensor], bool]] = {
    "attention": (lambda m, x: torch.cat([m.query(x), m.key(x), m.value(x)], -1), True),
    "other order": (lambda m, x: torch.cat([m.value(x), m.query(x), m.key(x)], -1), True),
    "cross attention": (lambda m, x: torch.cat([m.query(x), m.key(x + 1), m.value(x + 1)], -1), False),
    "written between": (lambda m, x: torch.cat([m.query(y := x + 0), m.key(y.mul_(2)), m.value(y)], -1), False),
    "one not called": (lambda m, x: torch.cat([m.query(x), m.key(x)], -1), False),
    "called twice": (lambda m, x: torch.cat([m.query(x), m.query(x), m.key(x), m.value(x)], -1), False),
}


@pytest.mark.parametrize("name", GUESSES)
def test_guesses_are_kept_or_given_up(name: str) -> None:
    use, kept = GUESSES[name]
    model = Three(untraceable(use), names="query key value").eval()
    made = optimize(model, concat_linear=True)
    assert len(siblings(made)) == 3
    for seed in range(3):
        x = torch.randn(4, 8, generator=torch.Generator().manual_seed(seed))
        assert_near(run(made, x), exact(model, x), 4)
    assert len(siblings(made)) == (3 if kept else 0)
    assert_same_state(made.state_dict(), model.state_dict())


def test_gradients_flow_through_separate_layers() -> None:
    model = Three(together).eval()
    made = optimize(model, concat_linear=True)
    x = torch.randn(4, 8)
    run(made, x)
    made(x).sum().backward()
    model.double()(x.double()).sum().backward()
    for actual, expected in zip(made.parameters(), model.parameters(), strict=True):
        assert actual.grad is not None and expected.grad is not None
        assert_near(actual.grad, expected.grad, 4)


@pytest.mark.parametrize("change", ["in place", "data", "load", "replace", "shape"])
def test_weights_may_change_after_a_call(change: str) -> None:
    model = Three(together).eval()
    made = optimize(model, concat_linear=True)
    x = torch.randn(4, 8)
    run(made, x)
    weight = made.b.weight
    if change == "in place":
        with torch.no_grad():
            weight.mul_(2)
    elif change == "data":
        weight.data += 1
    elif change == "load":
        made.b.load_state_dict({key: value + 1 for key, value in made.b.state_dict().items()})
    elif change == "replace":
        made.b.weight = nn.Parameter(weight.detach() + 1)
    else:
        made.b.weight = nn.Parameter(torch.ones(3, 8))
        made.b.bias = nn.Parameter(torch.ones(3))
        model.b = nn.Linear(8, 3)
    model.load_state_dict(made.state_dict())
    assert_as_exact(model, made, x)


def test_calls_with_other_autocast_are_not_mixed_up() -> None:
    model = Three(untraceable(lambda m, x: x), names="query key value").eval()
    made = optimize(model, concat_linear=True)
    x = torch.randn(4, 8)
    first = run(made.query, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert run(made.key, x).dtype == torch.bfloat16
    assert_near(first, exact(model.query, x), 4)


def test_activations_are_not_kept() -> None:
    import gc
    import weakref

    made = optimize(Three(together).eval(), concat_linear=True)
    x = torch.randn(4, 8)
    reference = weakref.ref(x)
    run(made, x)
    del x
    gc.collect()
    assert reference() is None
    assert made.a._ipex_siblings._pending.__dict__["results"] == {}


def test_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = Three(
        untraceable(lambda m, x: torch.cat([m.query(x), m.key(x), m.value(x)], -1)), names="query key value"
    ).eval()
    made = optimize(model, concat_linear=True)
    inputs = [torch.randn(4, 8) for _ in range(64)]
    with ThreadPoolExecutor(4) as pool:
        for x, result in zip(inputs, pool.map(lambda x: run(made, x), inputs), strict=True):
            assert_near(result, exact(model, x), 4)
    assert len(siblings(made)) == 3


def test_hooked_layers_are_left_out() -> None:
    model = Three(together).eval()
    model.b.register_forward_hook(lambda module, arguments, result: result)
    assert siblings(optimize(model, concat_linear=True)) == ["a", "c"]


def test_shared_weights_are_left_out() -> None:
    model = Three(together).eval()
    model.c.weight = model.a.weight
    made = optimize(model, concat_linear=True)
    assert siblings(made) == [] and made.c.weight is made.a.weight
