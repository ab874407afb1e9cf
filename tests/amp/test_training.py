"""Backward in the precision of forward, float32 gradients, and training to float32's accuracy."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from sklearn import datasets
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import torch_ipex_device as ipex

BF16 = ipex.AmpConf(torch.bfloat16)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.second = nn.Conv2d(16, 16, 3)
        self.out = nn.Linear(16 * 9, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.norm(self.first(x))), 2)
        return self.out(F.gelu(self.second(x))[..., :3, :3].flatten(1))


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 1, 10, 10, generator=generator).to("ipex"), torch.arange(8, device="ipex")


def gradients(net: nn.Module) -> list[Tensor]:
    return [parameter.grad.cpu() for parameter in net.parameters()]


def sqnr(got: list[Tensor], expected: list[Tensor]) -> float:
    noise = sum((a.double() - b.double()).square().sum() for a, b in zip(got, expected, strict=True))
    return float(10 * torch.log10(sum(b.double().square().sum() for b in expected) / noise))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().to("ipex")


def test_gradients_are_float32_and_near_those_of_float32(net: Net) -> None:
    x, labels = batch()
    full = copy.deepcopy(net)
    F.cross_entropy(full(x), labels).backward()
    with ipex.AutoMixPrecision(BF16, "training"):
        F.cross_entropy(net(x), labels).backward()
    for parameter in net.parameters():
        assert parameter.grad is not None and parameter.grad.dtype == torch.float32
        assert ipex.physical_form(parameter.grad).dtype == "Float"
    assert 25 < sqnr(gradients(net), gradients(full)) < 80


@pytest.mark.parametrize("mode", ["nothing", "low", "full"])
def test_backward_computes_as_forward_did_wherever_it_is_called(net: Net, mode: str) -> None:
    x, labels = batch()
    results = []
    for forward in (BF16, ipex.AmpConf(None)):
        copies = [copy.deepcopy(net), copy.deepcopy(net)]
        with ipex.AutoMixPrecision(forward, "training"):
            F.cross_entropy(copies[0](x), labels).backward()
        with ipex.AutoMixPrecision(forward, "training"):
            loss = F.cross_entropy(copies[1](x), labels)
        if mode == "nothing":
            loss.backward()
        else:
            with ipex.AutoMixPrecision(BF16 if mode == "low" else ipex.AmpConf(None), "training"):
                loss.backward()
        results.append(gradients(copies[0]))
        for inside, outside in zip(*map(gradients, copies), strict=True):
            assert torch.equal(inside, outside)
    assert not torch.equal(results[0][0], results[1][0])


def test_looking_at_saved_tensors_changes_no_gradient(net: Net) -> None:
    x, labels = batch()
    other = copy.deepcopy(net)
    for model, looks in ((net, False), (other, True)):
        with ipex.AutoMixPrecision(BF16, "training"):
            y = F.relu(model.norm(model.first(x)))
            if looks:
                y.data_ptr(), repr(y)
            loss = F.cross_entropy(model.out(F.max_pool2d(model.second(y), 2)[..., :3, :3].flatten(1)), labels)
        loss.backward()
    for a, b in zip(gradients(net), gradients(other), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints_recompute_in_the_mode_of_forward(net: Net, reentrant: bool) -> None:
    x, labels = batch()
    x.requires_grad_()
    other = copy.deepcopy(net)
    with ipex.AutoMixPrecision(BF16, "training"):
        plain = F.cross_entropy(net(x), labels)
    plain.backward()
    torch.ipex.set_eager_fusion(False)  # a reentrant checkpoint's forward records no gradients, so it would fuse
    try:
        with ipex.AutoMixPrecision(BF16, "training"):
            again = F.cross_entropy(checkpoint(other, x, use_reentrant=reentrant), labels)
    finally:
        torch.ipex.set_eager_fusion(True)
    again.backward()
    assert torch.equal(plain.cpu(), again.cpu())
    for a, b in zip(gradients(net), gradients(other), strict=True):
        assert torch.equal(a, b)


def test_gradients_accumulate_in_float32(net: Net) -> None:
    x, labels = batch()
    total = None
    for i in range(4):
        with ipex.AutoMixPrecision(BF16, "training"):
            loss = F.cross_entropy(net(x[i : i + 4]), labels[i : i + 4])
        before = None if total is None else net.out.weight.grad.cpu().clone()
        loss.backward()
        single = copy.deepcopy(net)
        single.zero_grad()
        with ipex.AutoMixPrecision(BF16, "training"):
            loss = F.cross_entropy(single(x[i : i + 4]), labels[i : i + 4])
        loss.backward()
        total = single.out.weight.grad.cpu() if before is None else before + single.out.weight.grad.cpu()
        assert torch.equal(net.out.weight.grad.cpu(), total)


def test_an_error_in_backward_leaves_the_mode(net: Net) -> None:
    class Failing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            return x.clone()

        @staticmethod
        def backward(ctx, grad):  # type: ignore[no-untyped-def]
            raise KeyError

    x, labels = batch()
    with ipex.AutoMixPrecision(BF16, "training"):
        loss = F.cross_entropy(net.out(Failing.apply(net.first(x)).mean((2, 3)).repeat(1, 9)), labels)
    with pytest.raises(KeyError):
        loss.backward()
    assert ipex.get_auto_mix_precision() is None
    with torch.no_grad():
        assert ipex.physical_form(net.out(torch.ones(1, 144, device="ipex"))).dtype == "Float"


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.003),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.003),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_digits_are_learnt_as_in_float32(optimizer: str) -> None:
    images, labels = datasets.load_digits(return_X_y=True)
    x = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    x, y = F.pad(x, (1, 1, 1, 1)).to("ipex"), torch.tensor(labels).to("ipex")
    accuracies = {}
    for name, conf in (("float32", ipex.AmpConf(None)), ("bfloat16", BF16)):
        hits = []
        for seed in range(3):
            torch.manual_seed(seed)
            net = Net().to("ipex")
            update = OPTIMIZERS[optimizer](net.parameters())
            order = torch.randperm(1400, generator=torch.Generator().manual_seed(seed))
            for _ in range(6):
                for part in order.split(100):
                    with ipex.AutoMixPrecision(conf, "training"):
                        loss = F.cross_entropy(net(x[part]), y[part])
                    update.zero_grad()
                    loss.backward()
                    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
                    update.step()
            net.eval()
            with torch.no_grad(), ipex.AutoMixPrecision(conf):
                hits.append((net(x[1400:]).argmax(1) == y[1400:]).float().mean().item())
        accuracies[name] = sum(hits) / len(hits)
    assert accuracies["float32"] > 0.85
    assert abs(accuracies["float32"] - accuracies["bfloat16"]) < 0.01, accuracies


def test_grad_scaler_is_accepted(net: Net) -> None:
    """bfloat16 has float32's range: scaling by a power of two changes nothing but the exponents."""
    x, labels = batch()
    other = copy.deepcopy(net)
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9) for model in (net, other)]
    scaler = torch.amp.GradScaler("ipex", init_scale=1024.0)
    for _ in range(3):
        for model, optimizer in zip((net, other), optimizers, strict=True):
            optimizer.zero_grad()
            with ipex.AutoMixPrecision(BF16, "training"):
                loss = F.cross_entropy(model(x), labels)
            if model is net:
                loss.backward()
                optimizer.step()
            else:
                scaler.scale(loss).backward()
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), 1e6)
                scaler.step(optimizer)
                scaler.update()
    assert scaler.get_scale() == 1024.0
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a.detach().cpu(), b.detach().cpu(), rtol=1e-5, atol=1e-6)


def test_grad_scaler_skips_a_step_with_infinite_gradients(net: Net) -> None:
    x, labels = batch()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    before = [parameter.detach().cpu().clone() for parameter in net.parameters()]
    scaler = torch.amp.GradScaler("ipex", init_scale=2.0**127, growth_interval=1)
    with ipex.AutoMixPrecision(BF16, "training"):
        loss = F.cross_entropy(net(x), labels) * 1e4
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**126
    assert all(torch.equal(a.detach().cpu(), b) for a, b in zip(net.parameters(), before, strict=True))
