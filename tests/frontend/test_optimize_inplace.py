"""`inplace`: the given model is never touched, or is the very object that comes back, with its class and methods."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from .nets import Net, assert_as_exact, assert_near, assert_unchanged, exact, image, net, optimize, run, snapshot

OPTIONS: list[dict[str, Any]] = [
    {},
    {"level": "O0"},
    {"dtype": torch.bfloat16},
    {"dtype": torch.float16},
    {"concat_linear": True},
    {"graph_mode": True},
    {"weights_prepack": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_given_model_stays_bit_for_bit(options: dict[str, Any]) -> None:
    model = net()
    model.conv.register_forward_hook(lambda module, arguments, result: None)
    before, numbers = snapshot(model), torch.get_rng_state()
    made = optimize(model, sample_input=image(), **options)
    with torch.autocast("cpu", options.get("dtype"), enabled="dtype" in options):
        run(made, image())
    made.load_state_dict({key: torch.zeros_like(value) for key, value in made.state_dict().items()})
    assert_unchanged(model, before)
    assert torch.equal(torch.get_rng_state(), numbers)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_inplace_returns_the_same_object(options: dict[str, Any]) -> None:
    model = net()
    modules = dict(model.named_modules())
    assert optimize(model, inplace=True, **options) is model
    assert dict(model.named_modules()) == modules


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_class_and_methods_stay(options: dict[str, Any], inplace: bool) -> None:
    model = net()
    expected = exact(model, image())
    made = optimize(model, inplace=inplace, **options)
    assert type(made) is Net
    with torch.no_grad(), torch.autocast("cpu", options.get("dtype"), enabled="dtype" in options):
        features, labels = made.features(image()), made.predict(image())
    assert features.shape == (4, 6)
    if options.get("dtype") is None:
        assert torch.equal(labels, expected.argmax(1))


class Stateful(nn.Module):
    """Does while it is called what a call during optimize must not do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("count", torch.zeros(()))
        self.seen: list[Any] = []
        self.last: Any = None
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.calls += 1
        self.last = self.norm(self.conv(x + torch.randn(1) * 0))
        self.seen.append(self.last)
        return self.last + random.random() * 0


@pytest.mark.parametrize("inplace", [False, True])
def test_looking_at_a_model_does_not_call_it(inplace: bool) -> None:
    model = Stateful().eval()
    calls: list[str] = []
    model.register_forward_hook(lambda module, arguments, result: calls.append("hook"))
    numbers = torch.get_rng_state()
    made = optimize(model, inplace=inplace)
    assert isinstance(made.norm, nn.Identity)
    assert (made.count.item(), made.calls, made.last, made.seen, calls) == (0, 0, None, [], [])
    assert torch.equal(torch.get_rng_state(), numbers)
    run(made, image())
    assert (made.count.item(), made.calls, calls) == (1, 1, ["hook"])


def test_non_leaf_attributes_are_copied() -> None:
    model = nn.Sequential(nn.Linear(3, 3)).eval()
    model.computed = model[0].weight * 2
    made = optimize(model)
    assert torch.equal(made.computed, model.computed) and made.computed is not model.computed


@pytest.mark.parametrize("layer", [nn.Linear(8, 8), nn.LSTM(8, 8), nn.Dropout(), nn.GELU(), nn.LayerNorm(8)])
def test_model_may_be_a_single_layer(layer: nn.Module) -> None:
    x = torch.randn(2, 3, 8)
    layer.eval()
    first = (lambda result: result[0]) if isinstance(layer, nn.LSTM) else (lambda result: result)
    assert_near(first(run(optimize(layer, inplace=False), x)), first(exact(layer, x)), 4)
    assert optimize(layer, inplace=True) is layer


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("inplace", [False, True])
def test_inference_mode_is_not_for_parameters(options: dict[str, Any], inplace: bool) -> None:
    model = net()
    with torch.inference_mode(), torch.autocast("cpu", options.get("dtype"), enabled="dtype" in options):
        made = optimize(model, inplace=inplace, sample_input=image(), **options)
        made(image())
    assert not any(parameter.is_inference() for parameter in made.parameters())
    made.load_state_dict(net(1).state_dict())
    if "dtype" not in options:
        assert_near(run(made, image()), exact(net(1), image()), 4)


@pytest.mark.parametrize("inplace", [False, True])
def test_results_stay(inplace: bool) -> None:
    model = net()
    expected = exact(model, image())
    assert_near(run(optimize(model, inplace=inplace), image()), expected, 4)


def test_models_print_as_before() -> None:
    model = net()
    text = repr(optimize(model, conv_bn_folding=False, linear_bn_folding=False, replace_dropout_with_identity=False))
    assert text == repr(model)


def test_hooks_stay() -> None:
    model = net()
    seen: list[type] = []
    for module in (model.drop, model.left, model.layer_norm, model.lstm):
        module.register_forward_hook(lambda module, arguments, result: seen.append(type(module).__mro__[-3]))
    made = optimize(model)
    run(made, image())
    assert len(seen) == 4
    assert_as_exact(net(), made, image())
