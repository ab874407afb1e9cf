"""Folding of batch norms: where it is proven, in place, and nowhere else."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .nets import assert_as_exact, assert_near, exact, image, net, optimize, randomised, run

CONVOLUTIONS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv1d": (lambda: nn.Sequential(nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6)), (2, 4, 9)),
    "conv2d": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)), (2, 4, 9, 9)),
    "conv3d": (lambda: nn.Sequential(nn.Conv3d(4, 6, 3), nn.BatchNorm3d(6)), (2, 4, 5, 5, 5)),
    "without bias": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6)), (2, 4, 9, 9)),
    "not affine": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6, affine=False)), (2, 4, 9, 9)),
    "groups": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6, eps=0.1)), (2, 4, 9, 9)),
    "frozen": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)).requires_grad_(False), (2, 4, 9, 9)),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("prepack", [False, True])
def test_conv_and_batch_norm_become_one(name: str, prepack: bool) -> None:
    make, shape = CONVOLUTIONS[name]
    model = randomised(make())
    made = optimize(model, level="O0", conv_bn_folding=True, weights_prepack=prepack)
    assert type(made[1]) is nn.Identity and not list(made[1].parameters())
    assert isinstance(made[0], type(model[0])) and made[0].bias is not None
    assert made[0].weight.requires_grad == made[0].bias.requires_grad == model[0].weight.requires_grad
    assert_as_exact(model, made, torch.randn(shape))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("prepack", [False, True])
def test_linear_and_batch_norm_become_one(bias: bool, affine: bool, prepack: bool) -> None:
    model = randomised(nn.Sequential(nn.Linear(5, 7, bias), nn.BatchNorm1d(7, affine=affine), nn.ReLU()))
    made = optimize(model, level="O0", linear_bn_folding=True, weights_prepack=prepack)
    assert type(made[1]) is nn.Identity and isinstance(made[0], nn.Linear)
    assert_as_exact(model, made, torch.randn(3, 5))


@pytest.mark.parametrize("bias", [False, True])
def test_linear_whose_batch_norm_sees_another_dimension(bias: bool) -> None:
    """In [batch, length, features] dimension 1 is the length; here both are 7, so that PyTorch accepts it."""
    model = randomised(nn.Sequential(nn.Linear(5, 7, bias), nn.BatchNorm1d(7)))
    made = optimize(model)
    assert type(made[1]) is nn.Identity
    assert_as_exact(model, made, torch.randn(3, 7, 5))
    with pytest.raises(RuntimeError, match="running_mean"):
        run(made, torch.randn(3, 6, 5))


def test_batch_norm_of_images_is_not_folded_into_linear() -> None:
    model = randomised(nn.Sequential(nn.Linear(5, 7), nn.BatchNorm2d(7)))
    made = optimize(model)
    assert type(made[1]) is nn.BatchNorm2d
    assert_as_exact(model, made, torch.randn(2, 7, 3, 5))


@pytest.mark.parametrize(("knob", "index"), [("conv_bn_folding", 1), ("linear_bn_folding", 4)])
def test_knobs_are_independent(knob: str, index: int) -> None:
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5), nn.BatchNorm1d(5)]
    model = randomised(nn.Sequential(*layers))
    made = optimize(model, **{knob: False})
    left = [place for place, module in enumerate(made) if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert left == [index]
    assert_as_exact(model, made, image())


class Two(nn.Module):
    """A convolution, a batch norm, and a way to use them."""

    def __init__(self, use: Callable[[Any, Tensor], Tensor], norm: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.other = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3) if norm is None else norm
        self.use = use

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, x)


REFUSED: dict[str, Callable[[], nn.Module]] = {
    "conv read twice": lambda: Two(lambda m, x: m.norm(y := m.conv(x)) + y),
    "conv called twice": lambda: Two(lambda m, x: m.norm(m.conv(m.conv(x)))),
    "conv called elsewhere": lambda: Two(lambda m, x: m.norm(m.conv(x)) + m.conv(x + 1)),
    "norm called twice": lambda: Two(lambda m, x: m.norm(m.conv(x)) + m.norm(m.other(x))),
    "something between": lambda: Two(lambda m, x: m.norm(m.conv(x).relu())),
    "weight read": lambda: Two(lambda m, x: m.norm(m.conv(x)) * m.conv.weight.sum()),
    "written in place": lambda: Two(lambda m, x: m.norm((y := m.conv(x)).mul_(2)) + 0 * y),
    "no statistics": lambda: Two(lambda m, x: m.norm(m.conv(x)), nn.BatchNorm2d(3, track_running_stats=False)),
    "instance norm": lambda: Two(lambda m, x: m.norm(m.conv(x)), nn.InstanceNorm2d(3)),
    "norm first": lambda: Two(lambda m, x: m.conv(m.norm(x))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_a_pair_stays(name: str) -> None:
    model = randomised(REFUSED[name]())
    made = optimize(model)
    assert type(made.norm) is type(model.norm)
    assert_as_exact(model, made, image())


def test_norm_in_training_mode_stays() -> None:
    model = randomised(Two(lambda m, x: m.norm(m.conv(x))))
    model.norm.train()
    assert type(optimize(model).norm) is nn.BatchNorm2d


def test_shared_weight_stays() -> None:
    model = randomised(Two(lambda m, x: m.norm(m.conv(x)) + m.other(x)))
    model.other.weight = model.conv.weight
    made = optimize(model)
    assert type(made.norm) is nn.BatchNorm2d and made.other.weight is made.conv.weight
    assert_as_exact(model, made, image())


@pytest.mark.parametrize("name", ["conv", "norm"])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"])
def test_hooked_modules_stay(name: str, kind: str) -> None:
    model = randomised(Two(lambda m, x: m.norm(m.conv(x))))
    getattr(getattr(model, name), kind)(lambda *arguments: None)
    made = optimize(model)
    assert type(made.norm) is nn.BatchNorm2d
    assert_near(run(made, image()), run(model, image()).double())


def test_hook_of_a_module_between_counts_and_one_around_does_not() -> None:
    model = randomised(nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4)))
    model.register_forward_hook(lambda module, arguments, result: result + 1)
    assert type(optimize(model)[1]) is nn.Identity
    assert_as_exact(model, optimize(model), image())
    model[0].register_forward_hook(lambda module, arguments, result: result * 2)
    made = optimize(model)
    assert type(made[1]) is nn.BatchNorm2d
    assert_as_exact(model, made, image())


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("wrap", [nn.utils.weight_norm, nn.utils.parametrizations.weight_norm, nn.utils.spectral_norm])
def test_computed_weights_stay(wrap: Callable[[nn.Module], nn.Module]) -> None:
    model = randomised(Two(lambda m, x: m.norm(m.conv(x))))
    wrap(model.conv)
    made = optimize(model)
    assert type(made.norm) is nn.BatchNorm2d
    assert_near(run(made, image()), run(model, image()).double())


class Optional(nn.Module):
    """Uses the result of the convolution twice, but only without its optional argument."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        y = self.conv(x)
        return self.norm(y) + y if scale is None else self.norm(y) * scale


def test_both_ways_of_an_optional_argument_are_looked_at() -> None:
    model = randomised(Optional())
    made = optimize(model)
    assert type(made.norm) is nn.BatchNorm2d
    assert_as_exact(model, made, image())
    assert_as_exact(model, made, image(), torch.tensor(2.0))


class Alias(nn.Module):
    """Keeps its modules in a plain list too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.chain = [self.conv, self.norm]

    def forward(self, x: Tensor) -> Tensor:
        for each in self.chain:
            x = each(x)
        return x


def test_modules_that_are_referred_to_elsewhere() -> None:
    model = randomised(Alias())
    made = optimize(model)
    assert type(made.norm) is nn.Identity
    assert_near(run(made, image()), run(model, image()).double(), 4)


class Branch(nn.Module):
    """Cannot be traced, its parts can."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.conv = nn.Conv2d(4, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        if y.sum() > 0:
            y = -y
        return self.norm(self.conv(y))


def test_parts_of_a_model_that_cannot_be_traced(caplog: pytest.LogCaptureFixture) -> None:
    model = randomised(Branch())
    with caplog.at_level(logging.WARNING, "torch_ipex_device"):
        made = optimize(model)
    assert type(made.first[1]) is nn.Identity and type(made.norm) is nn.BatchNorm2d
    assert_as_exact(model, made, image())
    assert caplog.records == []


class Stack(Branch):
    """Keeps its parts in containers."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)) for _ in range(2))
        self.heads = nn.ModuleDict({"a": nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))})

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        for block in self.blocks:
            x = block(x) if x.sum() != 12345 else x
        return self.heads["a"](x)


def test_parts_in_containers() -> None:
    model = randomised(Stack())
    made = optimize(model)
    left = [name for name, module in made.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == ["norm"]
    assert_as_exact(model, made, image())


def test_who_asks_is_told_what_could_not_be_traced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "torch_ipex_device"):
        optimize(randomised(Branch()), conv_bn_folding=True, linear_bn_folding=True)
    (record,) = caplog.records
    assert record.name == "torch_ipex_device"
    assert "conv_bn_folding could not trace the model (TraceError" in record.getMessage()
    assert "1 batch norm" in record.getMessage()


def test_nothing_is_traced_without_batch_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.fx.Tracer, "trace", lambda *arguments, **keywords: pytest.fail("traced"))
    optimize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), conv_bn_folding=True)


def test_global_hooks_see_no_placeholders() -> None:
    seen: list[Any] = []
    handle = nn.modules.module.register_module_forward_hook(lambda *arguments: seen.append(arguments))
    made = optimize(randomised(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))))
    handle.remove()
    assert seen == [] and type(made[1]) is nn.BatchNorm2d


class Normalised(nn.Conv2d):
    """A subclass computes something of its own."""

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight / self.weight.norm(), self.bias)


def test_subclasses_stay() -> None:
    model = randomised(nn.Sequential(Normalised(3, 4, 3), nn.BatchNorm2d(4)))
    made = optimize(model)
    assert type(made[0]) is Normalised and type(made[1]) is nn.BatchNorm2d
    assert_as_exact(model, made, image())


def test_forward_replaced_on_one_module_stays() -> None:
    model = randomised(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    conv = model[0]
    conv.forward = lambda x: F.conv2d(x, conv.weight * 2, conv.bias)
    made = optimize(model, inplace=True)
    assert type(made[1]) is nn.BatchNorm2d and type(conv) is nn.Conv2d


def test_forward_replaced_on_the_model_is_not_what_its_class_does() -> None:
    model = randomised(Two(lambda m, x: m.norm(m.conv(x))))
    model.forward = lambda x: model.norm(model.conv(x)) + model.conv(x)
    made = optimize(model, inplace=True)
    assert type(made.norm) is nn.BatchNorm2d


def test_folding_twice_is_folding_once() -> None:
    model = net()
    once = optimize(model)
    assert torch.equal(run(optimize(once), image()), run(once, image()))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes(dtype: torch.dtype) -> None:
    model = randomised(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))).to(dtype)
    made = optimize(model)
    assert type(made[1]) is (nn.Identity if dtype == torch.float64 else nn.BatchNorm2d)
    expected = exact(copy.deepcopy(model).double(), image().to(dtype))
    tolerance = 1e-9 if dtype == torch.float64 else 0.05
    actual = run(made, image().to(dtype)).double()
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
