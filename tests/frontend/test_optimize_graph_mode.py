"""Graph mode: graphs where they can be captured, the program elsewhere, the same results and the same module."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.frontend.graph import GraphForward

from .nets import assert_near, assert_same_state, exact, image, net, optimize, run


def graphs(model: nn.Module) -> int:
    forward = vars(model)["forward"]
    assert isinstance(forward, GraphForward)
    assert forward._compiled is None
    return len(forward._graphs)


class Result(NamedTuple):
    """What `Structured` gives."""

    sum: Tensor
    parts: dict[str, Any]


class Structured(nn.Module):
    """Takes and gives more than tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(
        self, x: Tensor, pair: tuple[Tensor, Any] | None = None, *, scale: float = 1.0, name: str = ""
    ) -> Result:
        y = self.linear(x) * scale
        if pair is not None:
            y = y + pair[0]
        return Result(y.sum(), {"y": [y, None], "name": name, "pair": pair is not None})


@pytest.mark.filterwarnings("error")
def test_a_graph_for_each_signature() -> None:
    model = net()
    made = optimize(model, graph_mode=True)
    for batch in (4, 2, 4, 1):
        assert_near(run(made, image(batch)), exact(model, image(batch)), 4)
    assert graphs(made) == 3


@pytest.mark.filterwarnings("error")
def test_arguments_and_results_of_every_structure() -> None:
    model = Structured().eval()
    made = optimize(model, graph_mode=True)
    x = torch.randn(2, 4)
    calls: list[dict[str, Any]] = [{}, {"scale": 2.0}, {"pair": (x, 3)}, {"pair": (x, 3), "name": "n"}]
    for keywords in calls * 2:
        with torch.no_grad():
            actual, expected = made(x, **keywords), model(x, **keywords)
        assert type(actual) is Result
        torch.testing.assert_close(actual.sum, expected.sum)
        torch.testing.assert_close(actual.parts["y"][0], expected.parts["y"][0])
        assert actual.parts["y"][1] is None
        assert (actual.parts["name"], actual.parts["pair"]) == (expected.parts["name"], expected.parts["pair"])
    assert graphs(made) == 4


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("cast", [False, True])
def test_autocast(cast: bool) -> None:
    model = net()
    made = optimize(model, dtype=torch.bfloat16 if cast else None, graph_mode=True)
    with torch.autocast("cpu", torch.bfloat16):
        low, stock = run(made, image()), run(model, image())
    assert low.dtype == stock.dtype
    torch.testing.assert_close(low.float(), stock.float(), rtol=0.05, atol=0.05)
    if not cast:
        assert_near(run(made, image()), exact(model, image()), 4)
        assert graphs(made) == 2


@pytest.mark.filterwarnings("error")
def test_weights_may_change() -> None:
    model = net()
    made = optimize(model, graph_mode=True)
    run(made, image())
    made.load_state_dict(net(1).state_dict())
    assert_near(run(made, image()), exact(net(1), image()), 4)
    with torch.no_grad():
        made.left.weight.mul_(2)
    model.load_state_dict(made.state_dict())
    assert_near(run(made, image()), exact(model, image()), 4)


class Branch(nn.Module):
    """Branches on a value."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        return y if y.sum() > 0 else y * 2


def compare(model: nn.Module, made: nn.Module) -> None:
    for seed in range(4):
        x = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(run(made, x), run(model, x))


def test_program_that_cannot_be_traced_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[dict[str, Any]] = []

    def compile(program: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        compiled.append(options)
        return program

    monkeypatch.setattr(torch, "compile", compile)
    model = Branch().eval()
    made = optimize(model, graph_mode=True)
    with pytest.warns(
        UserWarning, match=r"graph_mode: the model cannot be traced \(.*\), so torch.compile is used"
    ) as caught:
        compare(model, made)
    assert len(caught) == 1
    assert compiled == [{"backend": "ipex", "dynamic": True}]


def test_compiled_by_the_backend() -> None:
    model = Branch().eval()
    made = optimize(model, graph_mode=True)
    path = ipex._get_compiler_backend()
    ipex._set_compiler_backend("torchscript")  # compiles faster than the other one
    try:
        with pytest.warns(UserWarning, match="graph_mode: the model cannot be traced") as caught:
            compare(model, made)
    finally:
        ipex._set_compiler_backend(path)
    assert [str(each.message) for each in caught if "torch.compile failed" in str(each.message)] == []


@pytest.mark.parametrize("when", ["asked", "called"])
def test_program_that_cannot_be_compiled_runs(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    def fail(*arguments: Any, **keywords: Any) -> Any:
        if "backend" in keywords and when == "called":
            return fail
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", fail)
    model = Branch().eval()
    made = optimize(model, graph_mode=True)
    with pytest.warns(UserWarning, match="graph_mode") as caught:
        compare(model, made)
    texts = [str(each.message) for each in caught]
    assert len(texts) == 2
    assert texts[1] == "optimize: graph_mode: torch.compile failed (RuntimeError: no compiler); runs the model as it is"


def test_errors_of_the_program_are_raised() -> None:
    made = optimize(nn.Linear(4, 4).eval(), graph_mode=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for arguments in ((torch.randn(2, 3),), (), (1, 2, 3)):
            with pytest.raises((RuntimeError, TypeError)):
                run(made, *arguments)


def test_gradients_are_recorded_by_the_program() -> None:
    model = Structured().eval()
    made = optimize(model, graph_mode=True)
    x = torch.randn(2, 4)
    with pytest.warns(
        UserWarning, match="graph_mode: gradients are recorded, .*; call it inside of torch.no_grad"
    ) as caught:
        (made(x).sum + made(x).sum).backward()
    assert len(caught) == 1 and made.linear.weight.grad is not None
    assert caught[0].filename == __file__
    assert graphs(made) == 0


@pytest.mark.filterwarnings("error")
def test_no_gradients_are_no_reason_to_warn() -> None:
    made = optimize(Structured().eval().requires_grad_(False), graph_mode=True)
    made(torch.randn(2, 4))
    assert graphs(made) == 1


def test_training_mode_runs_the_program() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).eval()
    made = optimize(model, graph_mode=True, replace_dropout_with_identity=False)
    made.train()
    with pytest.warns(UserWarning, match="graph_mode: the model is in training mode and runs as it is"):
        assert (run(made, torch.ones(64, 4)) == 0).any()


def test_training_has_no_graphs() -> None:
    model = net().train()
    with pytest.warns(UserWarning, match="graph_mode is for inference; the model runs as it is"):
        made, _ = optimize(model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), graph_mode=True)
    assert "forward" not in vars(made)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_have_graphs_of_their_own(copied: Any) -> None:
    model = net()
    made = optimize(model, graph_mode=True)
    run(made, image())
    other = copied(made)
    assert graphs(other) == 0
    other.load_state_dict(net(1).state_dict())
    assert_near(run(other, image()), exact(net(1), image()), 4)
    assert_near(run(made, image()), exact(model, image()), 4)
    assert_same_state(made.state_dict(), model.state_dict())


def test_optimised_twice() -> None:
    model = net()
    made = optimize(optimize(model, graph_mode=True), graph_mode=True)
    assert_near(run(made, image()), exact(model, image()), 4)
    assert graphs(made) == 1


def test_number_of_graphs_is_bounded() -> None:
    made = optimize(nn.Linear(4, 4).eval(), graph_mode=True)
    for batch in range(1, 20):
        run(made, torch.ones(batch, 4))
    assert graphs(made) == 16


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_model_may_be_traced_by_the_program() -> None:
    made = optimize(net(), graph_mode=True)
    with torch.no_grad():
        traced = torch.jit.freeze(torch.jit.trace(made, image(), check_trace=False))
        torch.testing.assert_close(traced(image()), made(image()))


def test_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model = net()
    made = optimize(model, graph_mode=True, concat_linear=True)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda seed: run(made, image(4, seed)), range(16)))
    for seed, result in enumerate(results):
        assert_near(result, exact(model, image(4, seed)), 4)
