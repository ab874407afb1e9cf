"""Models, and what the tests of `ipex.optimize` compare."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

import torch_ipex_device as ipex

optimize = ipex.optimize


def randomised(model: nn.Module) -> nn.Module:
    """Returns the model in evaluation mode, with batch norms whose statistics and parameters matter."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if module.running_mean is not None and module.running_var is not None:
                module.running_mean.normal_(std=0.5)
                module.running_var.uniform_(0.5, 2.0)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 2.0)
                nn.init.normal_(module.bias, std=0.5)
    return model.eval()


class Net(nn.Module):
    """Has something for every pass, and methods that are not `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.25)
        self.left = nn.Linear(8, 16)
        self.right = nn.Linear(8, 16)
        self.layer_norm = nn.LayerNorm(16)
        self.act = nn.GELU()
        self.hidden = nn.Linear(16, 6)
        self.hidden_norm = nn.BatchNorm1d(6)
        self.lstm = nn.LSTM(6, 5, batch_first=True)
        self.embedding = nn.Embedding(7, 5)
        self.head = nn.Linear(5, 7, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def features(self, image: Tensor) -> Tensor:
        x = self.drop(self.norm(self.conv(image)).relu()).mean((2, 3))
        return self.hidden_norm(self.hidden(self.act(self.layer_norm(self.left(x) + self.right(x)))))

    def forward(self, image: Tensor) -> Tensor:
        states, _ = self.lstm(self.features(image).unsqueeze(1))
        return self.head(states.squeeze(1))

    def predict(self, image: Tensor) -> Tensor:
        return self(image).argmax(1)


def net(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    model = randomised(Net())
    assert isinstance(model, Net)
    return model


def image(batch: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(batch, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def exact(model: nn.Module, *arguments: Any) -> Any:
    """Returns what the model computes in float64."""
    double = [each.double() if isinstance(each, Tensor) and each.is_floating_point() else each for each in arguments]
    with torch.no_grad():
        return copy.deepcopy(model).double()(*double)


def run(model: nn.Module, *arguments: Any) -> Any:
    with torch.no_grad():
        return model(*arguments)


def assert_near(actual: Tensor, expected: Tensor, coefficient: float = 1.0) -> None:
    """`expected` in float64; tolerances are those of `actual.dtype`."""
    rtol, atol = torch.testing._comparison.default_tolerances(actual.dtype)
    torch.testing.assert_close(
        actual.double(), expected, rtol=rtol * coefficient, atol=atol * coefficient, check_stride=False
    )


def assert_as_exact(model: nn.Module, optimized: nn.Module, *arguments: Any, coefficient: float = 4.0) -> None:
    """The optimised model computes what the model does in float64; 4: sums of other kernels round in another order."""
    expected = exact(model, *arguments)
    for _ in range(2):  # the second call finds packed weights
        assert_near(run(optimized, *arguments), expected, coefficient)


def snapshot(model: nn.Module) -> dict[str, tuple[Any, ...]]:
    """Everything about a model that `inplace=False` must not change."""
    tensors = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    found: dict[str, tuple[Any, ...]] = {
        name: (id(t), t.data_ptr(), t.stride(), t.dtype, t._version, t.detach().clone()) for name, t in tensors
    }
    for name, module in model.named_modules():
        found[f"module {name}"] = (id(module), type(module), module.training, dict(vars(module)))
    return found


def assert_unchanged(model: nn.Module, before: dict[str, tuple[Any, ...]]) -> None:
    after = snapshot(model)
    assert after.keys() == before.keys()
    for name, (*facts, last) in before.items():
        *facts_after, last_after = after[name]
        assert facts_after == facts, name
        if isinstance(last, Tensor):
            assert torch.equal(last, last_after), name
        else:
            assert last.keys() == last_after.keys() and all(last[key] is last_after[key] for key in last), name


def assert_same_state(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    """Two dictionaries of tensors have the same keys in the same order, dtypes, bits, and share alike."""
    assert list(actual) == list(expected)
    for key, value in expected.items():
        assert actual[key].dtype == value.dtype, key
        assert torch.equal(actual[key], value), key
    assert sharing(actual) == sharing(expected)


def sharing(state: dict[str, Any]) -> list[str]:
    """For each tensor, the first key whose memory it starts in."""
    first: dict[int, str] = {}
    return [first.setdefault(value.data_ptr(), key) for key, value in state.items() if value.numel()]
