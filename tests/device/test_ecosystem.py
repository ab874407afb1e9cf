"""Parts of PyTorch that look at the device: transforms, export, profiler, optimizers, utilities, default device."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.func import functional_call, grad, hessian, jacrev, jvp, vjp, vmap
from torch.profiler import ProfilerActivity, profile

from torch_ipex_device.testing.compare import assert_same

TRANSFORMS: dict[str, Callable[[Tensor], Any]] = {
    "vmap": lambda x: vmap(torch.softmax, (0, None))(x, 0),
    "vmap_inner_dim": lambda x: vmap(lambda row: row @ row, in_dims=1)(x),
    "grad": lambda x: grad(lambda y: y.sin().sum())(x),
    "vmap_of_grad": lambda x: vmap(grad(lambda row: (row**3).sum()))(x),
    "jvp": lambda x: jvp(torch.tanh, (x,), (x,)),
    "vjp": lambda x: vjp(torch.tanh, x)[1](x),
    "jacrev": lambda x: jacrev(lambda y: y.exp())(x[0]),
    "hessian": lambda x: hessian(lambda y: (y**3).sum())(x[0]),
    "forward_ad": lambda x: torch.autograd.functional.jvp(torch.sin, x, x),
    "double_backward": lambda x: torch.autograd.functional.hvp(lambda y: (y**3).sum(), x, x),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_function_transforms_match_cpu(transform: Callable[[Tensor], Any]) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4)
    assert_same(transform(x.ipex()), transform(x), coefficient=4)  # compositions of several operators


def test_functional_call() -> None:
    model = nn.Linear(2, 1).to("ipex")
    zeros = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    assert functional_call(model, zeros, torch.ones(1, 2, device="ipex")).tolist() == [[0]]


def test_gradcheck() -> None:
    x = torch.randn(3, 3, dtype=torch.float64, device="ipex", requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: y.sin().mm(y.t()), x)
    assert torch.autograd.gradgradcheck(lambda y: y.sin().mm(y.t()), x)


def test_fake_tensors_know_the_device() -> None:
    x = torch.ones(2, 3, device="ipex")
    with FakeTensorMode() as mode:
        fake = mode.from_tensor(x)
        result = torch.softmax(fake @ fake.t(), 0)
        made = torch.ones(2, device="ipex")
    assert result.device == made.device == torch.device("ipex:0")
    assert result.shape == (2, 2)


def test_meta_and_to_empty() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model.to_empty(device="ipex")
    assert {value.device.type for value in model.state_dict().values()} == {"ipex"}
    assert torch.ones(2, device="ipex").to("meta").device.type == "meta"


def test_export_saves_and_loads() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.LayerNorm(4)).to("ipex")
    x = torch.randn(3, 4, device="ipex")
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(model, (x,)), buffer)
    buffer.seek(0)
    torch.testing.assert_close(torch.export.load(buffer).module()(x), model(x))


def test_symbolic_trace() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).to("ipex")
    x = torch.randn(3, 4, device="ipex")
    assert torch.equal(torch.fx.symbolic_trace(model)(x), model(x))


def test_profiler_sees_operators_and_memory() -> None:
    activities = [ProfilerActivity.CPU, ProfilerActivity.PrivateUse1]
    with profile(activities=activities, profile_memory=True, record_shapes=True) as profiled:
        x = torch.empty(1 << 20, dtype=torch.uint8, device="ipex")
        torch.cumsum(x, 0)
    events = {event.key: event for event in profiled.key_averages()}
    assert "aten::cumsum" in events
    changes = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    on_device = [event.nbytes() for event in changes if event.device_type() == torch.profiler.DeviceType.PrivateUse1]
    assert any(nbytes >= 1 << 20 for nbytes in on_device)


def test_older_profiler_measures_device_time() -> None:
    x = torch.ones(200, 200, device="ipex")
    with torch.autograd.profiler.profile(use_device="ipex") as profiled:
        x.cumsum(0)
    (event,) = [event for event in profiled.key_averages() if event.key == "aten::cumsum"]
    assert 0 < event.device_time_total < 10 * event.cpu_time_total


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Rprop", "ASGD", "Adadelta"])
@pytest.mark.parametrize("foreach", [False, True])
def test_capturable_optimizers_match_plain_ones_on_cpu(name: str, foreach: bool) -> None:
    torch.manual_seed(0)
    weights, gradients = torch.randn(5), torch.randn(3, 5)
    results = []
    for device, options in (("cpu", {}), ("ipex", {"capturable": True, "foreach": foreach})):
        parameter = nn.Parameter(weights.clone().to(device))
        optimizer = getattr(torch.optim, name)([parameter], lr=0.01, **options)
        for gradient in gradients:
            parameter.grad = gradient.to(device)
            optimizer.step()
        results.append(parameter.detach())
    assert_same(results[1], results[0], coefficient=4)  # the capturable formula divides in another order


def test_optimizer_state_survives_a_copy() -> None:
    parameter = nn.Parameter(torch.ones(3, device="ipex"))
    optimizer = torch.optim.Adam([parameter], lr=0.1, fused=True)
    parameter.grad = torch.ones(3, device="ipex")
    optimizer.step()
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    optimizer.step()
    assert optimizer.state[parameter]["exp_avg"].is_ipex


def test_gradient_utilities_match_cpu() -> None:
    torch.manual_seed(0)
    expected = nn.Linear(4, 3)
    actual = copy.deepcopy(expected).to("ipex")
    x = torch.randn(5, 4)

    def clip(model: nn.Module, x: Tensor) -> list[Any]:
        model(x).square().sum().backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        nn.utils.clip_grad_value_(model.parameters(), 0.1)
        return [norm, nn.utils.parameters_to_vector(p.grad for p in model.parameters())]

    assert_same(clip(actual, x.ipex()), clip(expected, x), coefficient=4)  # sums over products


@pytest.mark.parametrize("name", ["spectral_norm", "orthogonal", "weight_norm"])
def test_parametrizations_match_cpu(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 4)
    expected = getattr(nn.utils.parametrizations, name)(model)
    actual = copy.deepcopy(expected).to("ipex")
    x = torch.randn(2, 4)
    assert_same(actual(x.ipex()), expected(x), coefficient=10)  # an iteration or a decomposition


def test_schedulers_and_averaging() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).to("ipex")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, 10)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    x = torch.randn(8, 4, device="ipex")
    model(x).sum().backward()
    optimizer.step()
    scheduler.step()
    averaged.update_parameters(model)
    torch.optim.swa_utils.update_bn([x, x], averaged, device="ipex")
    assert all(parameter.is_ipex for parameter in averaged.parameters())


def test_default_device() -> None:
    torch.set_default_device("ipex")
    try:
        assert torch.ones(2).is_ipex
        assert torch.randperm(5).is_ipex
        assert nn.Linear(2, 2).weight.is_ipex
        assert torch.get_default_device() == torch.device("ipex:0")
    finally:
        torch.set_default_device(None)
    with torch.device("ipex"):
        assert torch.tensor([1, 2]).is_ipex
    assert torch.ones(2).device.type == "cpu"


def test_saved_tensor_hooks_may_move_to_cpu() -> None:
    for pin in (False, True):
        x = torch.ones(3, device="ipex", requires_grad=True)
        with torch.autograd.graph.save_on_cpu(pin_memory=pin):
            y = (x * x).sum()
        y.backward()
        assert x.grad is not None
        assert x.grad.tolist() == [2, 2, 2]


@pytest.mark.filterwarnings("ignore:Anomaly Detection:UserWarning", "ignore:Error detected in:UserWarning")
def test_anomaly_mode_names_the_operator() -> None:
    x = torch.zeros(1, device="ipex", requires_grad=True)
    with torch.autograd.detect_anomaly():
        y = torch.sqrt(x) * 0
        with pytest.raises(RuntimeError, match="returned nan values"):
            y.backward()


def test_conversions_of_modules() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert model.ipex(0)[0].weight.is_ipex
    assert model.to("ipex", torch.bfloat16)[0].weight.dtype == torch.bfloat16
    assert model.to(memory_format=torch.channels_last)[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert model.float().cpu()[0].weight.device.type == "cpu"


def test_legacy_constructors_of_tensors() -> None:
    x = torch.ones(2, 3, device="ipex")
    assert x.new(4).is_ipex
    assert x.new_tensor([1, 2]).is_ipex
    assert x.type("torch.ipex.DoubleTensor").dtype == torch.float64
    assert x.type(torch.int32).is_ipex
    assert x.type_as(torch.ones(1)).device.type == "cpu"


def test_deterministic_mode_fills_new_memory() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.isnan(torch.empty(3, device="ipex")).all()
        assert torch.cumsum(torch.ones(3, device="ipex"), 0).tolist() == [1, 2, 3]
    finally:
        torch.use_deterministic_algorithms(False)
