"""What computes in bfloat16, that nobody can see it, and that results are those of explicit bfloat16 tensors."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device
import torch_ipex_device as ipex
from bfloat16 import arithmetic  # noqa: F401

BF16 = ipex.AmpConf(torch.bfloat16)


pytestmark = pytest.mark.usefixtures("arithmetic")


@pytest.fixture(autouse=True)
def fusion_is_off() -> Iterator[None]:
    """Programs compute one operator at a time, unless they say otherwise."""
    torch.ipex.set_eager_fusion(False)
    yield
    torch.ipex.set_eager_fusion(True)


def randn(*sizes: int) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(sum(sizes))).to("ipex")


def is_narrow(tensor: Tensor) -> bool:
    return ipex.physical_form(tensor).dtype == "BFloat16"


# Each takes tensors of one dtype; bias and parameters of norms stay float32.
BIAS, SCALE = randn(64), randn(64)
PROGRAMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "linear": lambda x, w: F.linear(x.flatten(0, 2), w[:, :, 1, 1], BIAS),
    # F.conv2d refuses a bias of another dtype.
    "convolution": lambda x, w: torch.convolution(
        x.permute(0, 3, 1, 2), w, BIAS, (1, 1), (1, 1), (1, 1), False, (0, 0), 1
    ),
    "depthwise": lambda x, w: F.conv2d(x.permute(0, 3, 1, 2), w[:, :1], None, groups=64),
    "transposed convolution": lambda x, w: F.conv_transpose2d(x.permute(0, 3, 1, 2), w, BIAS, stride=2),
    "mm": lambda x, w: x[0, 0] @ w[:, :, 0, 0],
    "bmm": lambda x, w: x[0] @ x[1].transpose(1, 2),
    "attention": lambda x, w: F.scaled_dot_product_attention(x, x + x, x),
    "convolution, batch norm, relu, pool": lambda x, w: F.max_pool2d(
        F.relu(F.batch_norm(F.conv2d(x.permute(0, 3, 1, 2), w), BIAS, SCALE.abs(), SCALE, BIAS)), 2
    ),
    "linear, layer norm, gelu": lambda x, w: F.gelu(F.layer_norm(F.linear(x, w[:, :, 0, 0]), (64,), SCALE, BIAS)),
    "linear, add, softmax": lambda x, w: (F.linear(x, w[:, :, 0, 0]) + F.linear(x, w[:, :, 0, 1])).softmax(-1),
    "linear, chunk, mul, cat": lambda x, w: torch.cat(
        [a.sigmoid() * b for a, b in [F.linear(x, w[:, :, 0, 0]).chunk(2, -1)]] * 2, 1
    ),
    "linear, in place": lambda x, w: F.linear(x, w[:, :, 0, 0]).mul_(F.linear(x, w[:, :, 1, 0])).relu_().add_(1),
    "linear, transpose, contiguous, linear": lambda x, w: F.linear(
        F.linear(x, w[:, :, 0, 0]).transpose(1, 3).contiguous()[..., :6], randn(6, 6).to(x.dtype)
    ),
    "convolution, average pool, mean": lambda x, w: F.avg_pool2d(F.conv2d(x.permute(0, 3, 1, 2), w), 2).mean((2, 3)),
    "convolution, upsample": lambda x, w: F.interpolate(
        F.conv2d(x.permute(0, 3, 1, 2), w), scale_factor=2, mode="bilinear"
    ),
}


@pytest.mark.parametrize("fusion", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_results_are_those_of_explicit_bfloat16(name: str, fusion: bool) -> None:
    torch.ipex.set_eager_fusion(fusion)
    x, w = randn(2, 6, 6, 64), randn(64, 64, 3, 3) / 24
    kept = x.cpu().clone(), w.cpu().clone()
    with torch.no_grad():
        with ipex.AutoMixPrecision(BF16):
            y = PROGRAMS[name](x, w)
        explicit = PROGRAMS[name](x.bfloat16(), w.bfloat16())
    assert (y.dtype, explicit.dtype) == (torch.float32, torch.bfloat16)
    assert is_narrow(y)
    assert y.stride() == explicit.stride()
    assert torch.equal(y.cpu(), explicit.cpu().float())
    assert torch.equal(x.cpu(), kept[0]) and torch.equal(w.cpu(), kept[1])


@pytest.mark.parametrize("name", ["linear", "convolution", "depthwise", "transposed convolution", "mm", "bmm"])
def test_sums_are_taken_in_float32_and_rounded_once(name: str) -> None:
    x, w = randn(2, 6, 6, 64).bfloat16(), (randn(64, 64, 3, 3) / 24).bfloat16()
    with torch.no_grad():
        got = PROGRAMS[name](x, w).cpu().double()
        bias = BIAS.to("cpu", torch.float64)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(globals(), "BIAS", bias)
            exact = PROGRAMS[name](x.cpu().double(), w.cpu().double())
    # Half a unit in the last of bfloat16's 8 digits, and float32's errors near zero.
    assert ((got - exact).abs() <= exact.abs() * 2.0**-8 + 1e-4).all()


def test_float32_afterwards_is_as_before() -> None:
    x, layer = randn(8, 64), nn.Linear(64, 64).to("ipex")
    with torch.no_grad():
        before = layer(x).cpu()
        with ipex.AutoMixPrecision(BF16):
            narrow = layer(x)
        assert torch.equal(layer(x).cpu(), before)
        # What was computed in bfloat16 is an ordinary float32 operand outside.
        expected = F.linear(narrow.cpu(), layer.weight.cpu(), layer.bias.cpu())
        torch.testing.assert_close(layer(narrow).cpu(), expected)
        assert not is_narrow(layer(narrow))


def test_a_bfloat16_copy_beside_float32_values_is_not_what_the_tensor_is() -> None:
    w = randn(64, 64, 3, 3)
    with torch.no_grad():
        x = F.conv2d(randn(2, 64, 8, 8), w)  # float32, in channels-last order
        before = ipex.physical_form(x)
        with ipex.AutoMixPrecision(BF16):
            assert is_narrow(F.conv2d(x, w))
        after = ipex.physical_form(x)
    assert (after.dtype, after.strides) == (before.dtype, before.strides) == ("Float", (2304, 1, 384, 64))


def test_types_are_promoted_as_pytorch_does() -> None:
    x, w = randn(4, 64), randn(64, 64)
    with torch.no_grad(), ipex.AutoMixPrecision(BF16):
        y = F.linear(x, w)
        assert is_narrow(y + y) and is_narrow(y * 2) and is_narrow(y + torch.tensor(1.0, device="ipex"))
        assert not is_narrow(y + x)
        assert torch.equal((y + x).cpu(), y.cpu() + x.cpu())
        assert not is_narrow(y.sum(0)) and not is_narrow(y.exp())
        assert not is_narrow(x.relu())


@pytest.mark.parametrize(
    "look",
    [
        repr,
        lambda t: t.data_ptr(),
        lambda t: t.tolist(),
        lambda t: torch.save(t, io.BytesIO()),
        copy.deepcopy,
        lambda t: torch.from_dlpack(t).sum(),
        lambda t: t.untyped_storage().nbytes(),
        lambda t: t.sum().item(),
        lambda t: t.view(torch.int32).sum(),
    ],
    ids=["repr", "data_ptr", "tolist", "save", "deepcopy", "dlpack", "nbytes", "sum", "view as int"],
)
def test_looking_at_a_tensor_changes_no_later_result(look: Callable[[Tensor], object]) -> None:
    x, w = randn(4, 64), randn(64, 64)
    results = []
    with torch.no_grad(), ipex.AutoMixPrecision(BF16):
        for looks in (False, True):
            y = F.linear(x, w)
            other = F.linear(x, w.t())
            if looks:
                look(y)
            y = (y + other).softmax(-1)
            if looks:
                look(y)
            results.append((is_narrow(y), y.mul_(3).cpu()))
    assert results[0][0]
    assert torch.equal(results[0][1], results[1][1])


def test_what_the_program_writes_stays_as_it_wrote_it() -> None:
    x, w = randn(4, 64), randn(64, 64)
    value = 1 + 2.0**-20  # no bfloat16 number
    with torch.no_grad(), ipex.AutoMixPrecision(BF16):
        y = F.linear(x, w)
        rest = y.cpu()[1:]
        y[0] = value
        assert torch.equal(y.cpu()[0], torch.full((64,), value)) and torch.equal(y.cpu()[1:], rest)
        y = F.linear(x, w)
        torch.as_tensor(y.data_ptr())
        y.fill_(value)
        assert (y == value).all()
        assert torch.equal(F.linear(x, w).copy_(x).cpu(), x.cpu())


def test_a_write_to_weights_is_seen() -> None:
    x, w = randn(4, 64), randn(64, 64)
    with torch.no_grad(), ipex.AutoMixPrecision(BF16):
        first = F.linear(x, w).cpu()
        w.mul_(2)
        assert torch.equal(F.linear(x, w).cpu(), 2 * first)
        w.data_ptr()
        w.div_(2)
        assert torch.equal(F.linear(x, w).cpu(), first)


def test_views_share_what_is_written_in_place() -> None:
    x, w = randn(4, 64), randn(64, 64)
    with torch.no_grad(), ipex.AutoMixPrecision(BF16):
        y = F.linear(x, w)
        plain = y.cpu()
        part = y[:, ::2]
        pointer = y.data_ptr()
        part.mul_(2)
        assert y.data_ptr() == pointer
        expected = plain.clone()
        expected[:, ::2] *= 2
        assert torch.equal(y.cpu(), expected)


def test_policy_can_be_changed() -> None:
    x, w = randn(4, 64), randn(64, 64)
    assert ipex.amp.policy()["aten::linear"] == "low"
    try:
        with torch.no_grad(), ipex.AutoMixPrecision(BF16):
            ipex.amp.set_policy("aten::linear", "float32")
            y = F.linear(x, w)
            assert not is_narrow(y)
            torch.testing.assert_close(y.cpu(), F.linear(x.cpu(), w.cpu()), rtol=1e-4, atol=1e-4)
    finally:
        ipex.amp.reset_policy()
    assert ipex.amp.policy()["aten::linear"] == "low"


def test_threads_with_different_modes_share_weights() -> None:
    x, layer = randn(16, 64), nn.Linear(64, 64).to("ipex")
    with torch.no_grad():
        full = layer(x).cpu()
        with ipex.AutoMixPrecision(BF16):
            low = layer(x).cpu()

    def run(narrow: bool) -> bool:
        with torch.no_grad(), ipex.AutoMixPrecision(BF16 if narrow else ipex.AmpConf(None)):
            return all(torch.equal(layer(x).cpu(), low if narrow else full) for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, [False, True, False, True]))


def test_values_that_are_not_numbers_stay() -> None:
    x = randn(4, 64)
    x[0, 0], x[1, 1], x[2, 2] = float("nan"), float("inf"), 3e38
    with torch.no_grad(), ipex.AutoMixPrecision(BF16):
        y = F.linear(x, torch.eye(64, device="ipex")).relu()
    assert y[0].isnan().all() and y[1].isnan().any() and torch.isinf(y.cpu()[1, 1]) and y[2, 2] > 2.9e38


def test_real_bfloat16_and_float64_are_left_alone() -> None:
    x = randn(4, 64)
    with ipex.AutoMixPrecision(BF16):
        assert F.linear(x.bfloat16(), torch.eye(64, device="ipex").bfloat16()).dtype == torch.bfloat16
        doubled = F.linear(x.double(), torch.eye(64, device="ipex").double())
    assert torch.equal(doubled.cpu(), x.cpu().double())


def test_without_native_kernels_everything_is_float32() -> None:
    x, layer = randn(4, 64), nn.Linear(64, 64).to("ipex")
    torch_ipex_device._C.set_native_enabled(False)
    try:
        with torch.no_grad(), ipex.AutoMixPrecision(BF16):
            y = layer(x)
    finally:
        torch_ipex_device._C.set_native_enabled(True)
    assert not is_narrow(y)
    torch.testing.assert_close(y.cpu(), F.linear(x.cpu(), layer.weight.cpu(), layer.bias.cpu()))


def test_native_kernels_run() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    net = nn.Sequential(net, nn.Linear(16, 10)).eval().to("ipex")
    x = randn(2, 3, 32, 32)
    with torch.no_grad(), ipex.AutoMixPrecision(BF16):
        net(x)
        with ipex.explain() as report:
            y = net(x)
            assert is_narrow(y)
    assert {row.path for row in report.rows} <= {"native", "data movement"}, report
    assert sum(row.materializations for row in report.rows) == 0


def test_autocast_casts_first() -> None:
    x, layer, norm = randn(4, 64), nn.Linear(64, 64).to("ipex"), nn.LayerNorm(64).to("ipex")
    with torch.no_grad():
        for outer, inner in (
            (torch.autocast("ipex", torch.bfloat16), ipex.AutoMixPrecision(BF16)),
            (ipex.AutoMixPrecision(BF16), torch.autocast("ipex", torch.bfloat16)),
        ):
            with torch.autocast("ipex", torch.bfloat16):
                alone = layer(x), norm(layer(x))
            with outer, inner:
                both = layer(x), norm(layer(x))
                with torch.autocast("ipex", enabled=False):
                    assert layer(x).dtype == torch.float32
                    assert is_narrow(layer(x))
            for a, b in zip(alone, both, strict=True):
                assert a.dtype == b.dtype
                assert torch.equal(a.cpu(), b.cpu())
