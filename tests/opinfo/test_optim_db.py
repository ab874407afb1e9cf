"""Every optimizer of optim_db, in each implementation, makes on ipex the steps that it makes on CPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing._internal.common_optimizers import OptimizerInfo, optim_db

from torch_ipex_device.testing.compare import IPEX, assert_same

from .checks import CPU
from .outcome import SEED
from .tally import assert_floor, count

DATABASE = "optim_db"
STEPS = 6
FLAGS: dict[str, dict[str, bool]] = {
    "default": {},
    "for-loop": {"foreach": False, "fused": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}


def _supports(info: OptimizerInfo, implementation: str) -> bool:
    if implementation == "fused":
        return "fused" in info.supported_impls and "cpu" in info.supports_fused_on
    return implementation != "foreach" or "foreach" in info.supported_impls


CASES = [
    pytest.param(info, implementation, id=f"{info.name}-{implementation}")
    for info in optim_db
    for implementation in FLAGS
    if _supports(info, implementation)
]


def _parameters(info: OptimizerInfo, device: torch.device) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(SEED)
    shapes: list[tuple[int, ...]] = [(7, 5), (3, 9)]
    if info.name != "Muon":  # it takes matrices only
        shapes += [(4,), (), (2, 3, 2)]
    return [torch.nn.Parameter(torch.randn(shape, generator=generator).to(device)) for shape in shapes]


def _gradient(parameter: torch.Tensor, step: int, sparse: bool) -> torch.Tensor:
    """Pulls the parameter towards `step`; elementwise: no sum that each device takes in its own order."""
    gradient = (parameter.detach() - step) * 0.5
    if not sparse or parameter.dim() == 0:
        return gradient.to_sparse() if sparse else gradient
    rows = torch.arange(0, parameter.shape[0], 2, device=parameter.device)
    return torch.sparse_coo_tensor(rows.unsqueeze(0), gradient.index_select(0, rows), parameter.shape)


def _train(info: OptimizerInfo, settings: dict[str, Any], device: torch.device) -> tuple[Any, Any]:
    """Parameters and optimizer state after STEPS steps."""
    parameters = _parameters(info, device)
    optimizer = info.optim_cls(parameters, **settings)  # type: ignore[operator]

    for step in range(1 if info.name == "LBFGS" else STEPS):  # one step of LBFGS is many, until it has converged

        def closure(step: int = step) -> float:
            optimizer.zero_grad()
            for parameter in parameters:
                parameter.grad = _gradient(parameter, step, info.only_supports_sparse_grads)
            return float(sum((parameter.detach() - step).square().sum().item() for parameter in parameters))

        if info.step_requires_closure:
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
    return parameters, optimizer.state_dict()


def _settings(info: OptimizerInfo, implementation: str) -> list[dict[str, Any]]:
    """The database's hyperparameters with the flags of one implementation, as far as the optimizer knows them."""
    known = {"foreach", "fused"} & {*info.supported_impls}
    flags = {name: value for name, value in FLAGS[implementation].items() if name in known}
    return [{**sample.kwargs, **flags} for sample in info.optim_inputs_func("cpu")]


@pytest.mark.parametrize(("info", "implementation"), CASES)
def test_optimizer_steps_agree_with_cpu(info: OptimizerInfo, implementation: str) -> None:
    executed = 0
    for settings in _settings(info, implementation):
        if implementation == "foreach" and isinstance(settings.get("lr"), torch.Tensor):
            continue  # PyTorch demands capturable=True for a tensor lr with foreach, and CUDA for capturable
        expected = _train(info, settings, CPU)
        actual = _train(info, settings, IPEX)
        if info.name == "LBFGS":  # how often it evaluates depends on the last bit
            actual, expected = actual[0], expected[0]
        # Not the same bits: CPU takes square roots from MKL, which rounds some of them to a neighbour.
        assert_same(actual, expected, where=f"{settings}", device=None)
        executed += 1
    assert executed > 0
    count(DATABASE, "cases")
    count(DATABASE, "trainings", executed)


def test_executed_counts_reach_the_floor(request: pytest.FixtureRequest) -> None:
    assert_floor(DATABASE, request, len(CASES))
