"""Layers with native operators: the same class to the program, PyTorch's results in every precision and layout."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.utils._python_dispatch import TorchDispatchMode

from torch_ipex_device.frontend import modules
from torch_ipex_device.frontend.kinds import NATIVE

from .nets import assert_as_exact, assert_near, assert_same_state, exact, optimize, run


class Calls(TorchDispatchMode):
    """Collects the names of the operators that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.name())
        return func(*args, **(kwargs or {}))


LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(6, 9), (4, 6)),
    "linear, 4 dimensions": (nn.Linear(6, 9), (2, 3, 4, 6)),
    "linear, 1 dimension": (nn.Linear(6, 9), (6,)),
    "linear, no rows": (nn.Linear(6, 9), (0, 6)),
    "linear without bias": (nn.Linear(6, 9, bias=False), (4, 6)),
    "conv1d": (nn.Conv1d(4, 6, 3), (2, 4, 11)),
    "conv2d": (nn.Conv2d(4, 6, 3, stride=2, padding=(1, 2), dilation=(2, 1), groups=2), (2, 4, 11, 12)),
    "conv3d": (nn.Conv3d(4, 6, 3, bias=False), (2, 4, 5, 6, 7)),
    "conv2d, one image": (nn.Conv2d(4, 6, 3), (4, 9, 9)),
    "conv1d, one signal": (nn.Conv1d(4, 6, 3), (4, 9)),
    "conv2d, no images": (nn.Conv2d(4, 6, 3), (0, 4, 9, 9)),
    "conv1d same": (nn.Conv1d(4, 6, 4, padding="same"), (2, 4, 11)),
    "conv2d same": (nn.Conv2d(4, 6, (3, 4), padding="same", dilation=(2, 1)), (2, 4, 11, 12)),
    "conv2d same, odd": (nn.Conv2d(4, 6, (3, 5), padding="same"), (2, 4, 11, 12)),
    "conv3d same": (nn.Conv3d(4, 6, (2, 3, 4), padding="same"), (2, 4, 5, 6, 7)),
    "conv2d valid": (nn.Conv2d(4, 6, 3, padding="valid"), (2, 4, 11, 12)),
    "conv2d reflect": (nn.Conv2d(4, 6, 3, padding=(1, 2), padding_mode="reflect"), (2, 4, 11, 12)),
    "conv2d circular same": (nn.Conv2d(4, 6, (3, 4), padding="same", padding_mode="circular"), (2, 4, 11, 12)),
    "conv1d replicate": (nn.Conv1d(4, 6, 3, padding=2, padding_mode="replicate"), (2, 4, 11)),
    "conv_transpose1d": (nn.ConvTranspose1d(4, 6, 3, stride=2, output_padding=1), (2, 4, 11)),
    "conv_transpose2d": (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2, dilation=2), (2, 4, 7, 8)),
    "conv_transpose3d": (nn.ConvTranspose3d(4, 6, 2, bias=False), (2, 4, 5, 6, 7)),
    "conv_transpose2d, one image": (nn.ConvTranspose2d(4, 6, 3), (4, 9, 9)),
    "layer_norm": (nn.LayerNorm(6), (4, 6)),
    "layer_norm, 2 dimensions": (nn.LayerNorm((3, 6), eps=0.1), (4, 3, 6)),
    "layer_norm without parameters": (nn.LayerNorm(6, elementwise_affine=False), (4, 6)),
    "layer_norm without bias": (nn.LayerNorm(6, bias=False), (4, 6)),
    "gelu": (nn.GELU(), (4, 6)),
    "gelu tanh": (nn.GELU("tanh"), (4, 6)),
}
layers = pytest.mark.parametrize("name", LAYERS)
OPERATORS = ("torch_ipex::linear", "torch_ipex::convolution", "torch_ipex::layer_norm", "torch_ipex::gelu")


@layers
def test_results_and_class(name: str) -> None:
    layer, shape = LAYERS[name]
    layer.eval()
    made = optimize(layer)
    assert isinstance(made, type(layer)) and type(made) is NATIVE[type(layer)]
    assert repr(made) == repr(layer) and type(made).__name__ == type(layer).__name__
    assert_as_exact(layer, made, torch.randn(shape))


@layers
def test_native_operator_is_called(name: str) -> None:
    layer, shape = LAYERS[name]
    with Calls() as calls:
        run(optimize(layer.eval()), torch.randn(shape))
    is_batched = not name.endswith(("one image", "one signal"))
    assert any(called.startswith(OPERATORS) for called in calls.names) == is_batched


@layers
@pytest.mark.parametrize("cast", [False, True])
@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_autocast_gives_the_dtype_that_pytorch_gives(name: str, cast: bool, given: torch.dtype) -> None:
    layer, shape = LAYERS[name]
    x = torch.randn(shape).to(given)
    made = optimize(layer.eval(), dtype=torch.bfloat16 if cast else None)
    with torch.autocast("cpu", torch.bfloat16):
        actual, expected = run(made, x), run(layer, x)
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    torch.testing.assert_close(actual.float(), exact(layer, x.float()).float(), rtol=0.03, atol=0.03)


@pytest.mark.parametrize("name", ["linear", "conv2d", "conv_transpose2d"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_without_autocast_dtypes_must_agree_as_in_pytorch(name: str, dtype: torch.dtype) -> None:
    layer, shape = LAYERS[name]
    made = optimize(layer.eval(), dtype=dtype)
    for each in (made, optimize(layer, dtype=dtype, level="O0")):
        with pytest.raises(RuntimeError, match=r"must have the same dtype|Input type .* should be the same"):
            run(each, torch.randn(shape))
    result = run(made, torch.randn(shape).to(dtype))
    assert result.dtype == dtype


@layers
def test_gradients(name: str) -> None:
    layer, shape = LAYERS[name]
    made = optimize(layer.eval(), conv_bn_folding=False)
    x = torch.randn(shape)
    results = []
    for model, dtype in ((made, torch.float32), (optimize(layer, level="O0").double(), torch.float64)):
        given = x.to(dtype).requires_grad_()
        parameters = list(model.parameters())
        weights = torch.linspace(-1, 1, max(1, run(model, given).numel()), dtype=dtype)
        loss = (model(given).flatten() * weights[: run(model, given).numel()]).sum()
        results.append(torch.autograd.grad(loss, [given, *parameters]))
    for actual, expected in zip(*results, strict=True):
        assert_near(actual, expected, 16)  # sums over images round more often


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.complex64])
def test_other_dtypes_go_to_pytorch(dtype: torch.dtype) -> None:
    layer = nn.Linear(6, 9).to(dtype).eval()
    x = torch.randn(4, 6).to(dtype)
    assert torch.equal(run(optimize(layer), x), run(layer, x))


@pytest.mark.parametrize("name", ["linear", "conv2d", "conv1d", "conv_transpose2d"])
def test_wrong_shapes_raise_what_pytorch_raises(name: str) -> None:
    layer, shape = LAYERS[name]
    made = optimize(layer.eval())
    for wrong in ((*shape[:1], shape[1] + 1, *shape[2:]), (*shape, 3, 3), ()):
        with pytest.raises(RuntimeError) as stock:
            run(layer, torch.randn(wrong))
        with pytest.raises(RuntimeError) as error:
            run(made, torch.randn(wrong))
        assert type(error.value) is type(stock.value)


def test_output_size_of_transposed_convolutions() -> None:
    layer = nn.ConvTranspose2d(4, 6, 3, stride=2).eval()
    x = torch.randn(2, 4, 7, 8)
    made = optimize(layer)
    with torch.no_grad():
        assert_near(made(x, output_size=[16, 18]), layer.double()(x.double(), output_size=[16, 18]), 4)
        with pytest.raises(ValueError, match="requested an output size"):
            made(x, output_size=[99, 99])


def test_inputs_in_other_layouts() -> None:
    layer = nn.Conv2d(4, 6, 3).eval()
    made = optimize(layer)
    for x in (
        torch.randn(2, 4, 9, 9).to(memory_format=torch.channels_last),
        torch.randn(2, 9, 9, 4).permute(0, 3, 1, 2)[:, :, ::2],
        torch.randn(1, 4, 9, 9).expand(3, -1, -1, -1),
    ):
        assert_as_exact(layer, made, x)


class Scaled(nn.Linear):
    """A subclass."""


def replaced() -> nn.Module:
    layer = nn.Linear(6, 6)
    layer.forward = lambda x: x * 2  # type: ignore[method-assign]
    return layer


def hypernet() -> nn.Module:
    layer = nn.Linear(6, 6)
    weight = layer.weight.detach()
    del layer.weight
    layer.weight = weight * 2  # type: ignore[assignment]
    return layer


ALIEN = {
    "subclass": lambda: Scaled(6, 6),
    "weight_norm": lambda: nn.utils.weight_norm(nn.Linear(6, 6)),
    "spectral_norm": lambda: nn.utils.spectral_norm(nn.Linear(6, 6)),
    "pruned": lambda: prune.l1_unstructured(nn.Linear(6, 6), "weight", 0.5),
    "parametrized": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(6, 6)),
    "orthogonal": lambda: nn.utils.parametrizations.orthogonal(nn.Linear(6, 6)),
    "replaced forward": replaced,
    "weight is no parameter": hypernet,
}


@pytest.mark.parametrize("name", ALIEN)
@pytest.mark.parametrize("options", [{}, {"dtype": torch.bfloat16}, {"concat_linear": True}], ids=str)
def test_layers_whose_weight_something_else_computes_stay(name: str, options: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        layer = ALIEN[name]().eval()
    made = optimize(nn.Sequential(layer).eval(), **options)[0]
    assert type(made) is type(layer)
    x = torch.randn(3, 6)
    assert torch.equal(run(made, x), run(layer, x))
    assert list(made.state_dict()) == list(layer.state_dict())


def test_knob_is_obeyed() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.GELU(), nn.LayerNorm(3), nn.Conv2d(3, 3, 3)).eval()
    made = optimize(model, weights_prepack=False)
    assert [type(module) for module in made] == [type(module) for module in model]
    made = optimize(model, level="O0", weights_prepack=True)
    assert [type(module) for module in made] == [modules.Linear, modules.GELU, modules.LayerNorm, modules.Conv2d]


@pytest.mark.parametrize("change", ["in place", "data", "load", "replace", "optimizer"])
def test_weights_may_change_after_a_call(change: str) -> None:
    layer = nn.Sequential(nn.Linear(64, 64), nn.Unflatten(1, (4, 4, 4)), nn.Conv2d(4, 64, 3)).eval()
    made = optimize(layer)
    x = torch.randn(4, 64)
    run(made, x)
    for index in (0, 2):
        weight = made[index].weight
        if change == "in place":
            with torch.no_grad():
                weight.mul_(2)
        elif change == "data":
            weight.data += 1
        elif change == "load":
            made[index].load_state_dict({key: value + 1 for key, value in made[index].state_dict().items()})
        elif change == "replace":
            made[index].weight = nn.Parameter(weight.detach() + 1)
        else:
            weight.grad = torch.ones_like(weight)
            torch.optim.SGD([weight], lr=0.1).step()
    layer.load_state_dict(made.state_dict())
    assert_as_exact(layer, made, x)


def test_transforms_of_functions() -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.GELU(), nn.LayerNorm(6)).eval()
    made = optimize(model)
    x = torch.randn(3, 6)

    def losses(model: nn.Module) -> Any:
        def loss(parameters: Any, x: torch.Tensor) -> torch.Tensor:
            return torch.func.functional_call(model, parameters, (x,)).square().sum()

        return torch.func.vmap(torch.func.grad(loss), (None, 0))(dict(model.named_parameters()), x)

    torch.testing.assert_close(losses(made), losses(model))
    torch.testing.assert_close(torch.func.jacrev(made)(x[0]), torch.func.jacrev(model)(x[0]))
    torch.testing.assert_close(torch.func.jvp(made, (x,), (x,)), torch.func.jvp(model, (x,), (x,)))


def test_inference_mode() -> None:
    layer = nn.Linear(6, 9).eval()
    made = optimize(layer)
    x = torch.randn(4, 6)
    with torch.inference_mode():
        assert_near(made(x), exact(layer, x))


def test_weights_of_a_mapped_file_get_memory_of_their_own(tmp_path: Path) -> None:
    """Packed copies belong to the memory of a weight, which has to be PyTorch's."""
    model = nn.Sequential(nn.Linear(48, 64), nn.Linear(64, 48, bias=False), nn.Linear(64, 48, bias=False)).eval()
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    mapped = nn.Sequential(nn.Linear(48, 64), nn.Linear(64, 48, bias=False), nn.Linear(64, 48, bias=False)).eval()
    mapped.load_state_dict(torch.load(tmp_path / "weights.pt", mmap=True), assign=True)
    mapped[2].weight = nn.Parameter(mapped[1].weight.detach())  # another parameter in the same memory
    parameters, addresses = list(mapped.parameters()), [each.data_ptr() for each in mapped.parameters()]
    made = optimize(mapped, inplace=True)
    assert all(a is b for a, b in zip(made.parameters(), parameters, strict=True))
    assert [each.data_ptr() != address for each, address in zip(made.parameters(), addresses, strict=True)] == [
        True,
        False,
        False,
        False,
    ]
    assert_same_state(dict(list(made.state_dict().items())[:3]), dict(list(model.state_dict().items())[:3]))
    assert_as_exact(model[0], made[0], torch.randn(4, 48))
