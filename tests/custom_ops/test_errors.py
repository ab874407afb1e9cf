"""Wrong calls raise errors that name what was got, and leave everything as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

import torch_ipex_device as ipex

from .cases import CASES, DEVICES, OPS, POST_OPS, convolution, flat, lstm_arguments, numbers, statistics
from .weights import use

X, W, B, OTHER = numbers(5, 64), numbers(32, 64, seed=1), numbers(32, seed=2), numbers(5, 32, seed=3)
IMAGE, KERNEL = numbers(2, 8, 7, 7), numbers(16, 8, 3, 3, seed=1)
MEAN, VAR, *_ = statistics(16)


def mixed() -> Iterator[tuple[str, int]]:
    """Every tensor in turn of every case with several."""
    for name, case in CASES.items():
        count = len(flat(case.arguments))
        yield from ((name, index) for index in range(count if count > 1 else 0))


def known(name: str, index: int) -> bool:
    """Whether only the first tensors of a call are looked at."""
    return (name, index) in {("convolution, all arguments", i) for i in (4, 5, 6, 7)} or (name == "lstm" and index > 3)


@pytest.mark.parametrize(("name", "index"), list(mixed()))
def test_mixed_devices(name, index):
    leaves, structure = pytree.tree_flatten(CASES[name].arguments)
    tensors = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    leaves[tensors[index]] = leaves[tensors[index]].to("ipex")
    with pytest.raises(RuntimeError, match=r"torch_ipex::\w+\] E102 got tensors on .*ipex:0"), torch.no_grad():
        CASES[name].operator(*pytree.tree_unflatten(leaves, structure))


def test_mixed_devices_with_gradients():
    weight = W.clone().requires_grad_()
    with pytest.raises(RuntimeError, match=r"torch_ipex::linear\] E102 got tensors on cpu and ipex:0"):
        OPS.linear(X, weight.to("ipex"))
    with pytest.raises(RuntimeError, match=r"torch_ipex::convolution\] E102 got tensors on ipex:0 and cpu"):
        convolution(IMAGE.to("ipex"), KERNEL.clone().requires_grad_())


def test_mixed_devices_of_what_is_added_with_gradients():
    with pytest.raises(RuntimeError, match=r"torch_ipex::linear\] E102"):
        OPS.linear(X, W.clone().requires_grad_(), B, OTHER.to("ipex"))


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("post_op", ["Relu", "softmax", " relu", "gelu_erf"])
def test_unknown_post_op(post_op, gradients):
    w, kernel = W.clone().requires_grad_(gradients), KERNEL.clone().requires_grad_(gradients)
    for call in (lambda: OPS.linear(X, w, post_op=post_op), lambda: convolution(IMAGE, kernel, post_op=post_op)):
        with pytest.raises(ValueError, match=rf"E103 got post_op='{post_op}'; accepted: ''") as raised:
            call()
        assert all(name in str(raised.value) for name in POST_OPS)


def test_unknown_post_op_in_fake_kernels():
    with pytest.raises(ValueError, match="E103 got post_op='x'"):
        OPS.linear(X.to("meta"), W.to("meta"), post_op="x")


def test_half_of_a_norm():
    with pytest.raises(ValueError, match=r"convolution\] E103 got norm_mean without norm_var"):
        convolution(IMAGE, KERNEL, norm_mean=MEAN)


WRONG: dict[str, tuple[Callable[[], object], str | None]] = {
    "width": (lambda: OPS.linear(X[:, :63], W), "5x63 and 64x32"),
    "bias": (lambda: OPS.linear(X, W, B[:31]), "31"),
    "other": (lambda: OPS.linear(X, W, None, OTHER[:, :31]), "31"),
    "weight of three dimensions": (lambda: OPS.linear(X, W[None]), None),
    "dtypes": (lambda: OPS.linear(X.double(), W), "dtype"),
    "channels": (lambda: convolution(IMAGE[:, :7], KERNEL), "7 channels"),
    "groups": (lambda: convolution(IMAGE, KERNEL, groups=3), None),
    "stride": (lambda: convolution(IMAGE, KERNEL, stride=0), "stride"),
    "padding": (lambda: convolution(IMAGE, KERNEL, padding=-1), "negative padding"),
    "kernel larger than input": (lambda: convolution(IMAGE[..., :1], KERNEL), "1"),
    "convolution's bias": (lambda: convolution(IMAGE, KERNEL, B), "32"),
    "convolution's other": (lambda: convolution(IMAGE, KERNEL, other=IMAGE), "7"),
    "norm": (lambda: convolution(IMAGE, KERNEL, norm_mean=MEAN[:8], norm_var=VAR[:8]), "8"),
    "normalized_shape": (lambda: OPS.layer_norm(X, [63]), "63"),
    "weight of a norm": (lambda: OPS.layer_norm(X, [64], B), "32"),
    "approximate": (lambda: OPS.gelu(X, "x"), "approximate"),
    "heads": (lambda: OPS.scaled_dot_product_attention(IMAGE, IMAGE, IMAGE[:, :3]), "3"),
    "mask": (lambda: OPS.scaled_dot_product_attention(IMAGE, IMAGE, IMAGE, numbers(3, 3)), None),
    "states": (lambda: OPS.lstm(*lstm_arguments()[:1], [X, X], *lstm_arguments()[2:]), None),
    "parameters": (lambda: OPS.lstm(*lstm_arguments()[:2], lstm_arguments()[2][:5], *lstm_arguments()[3:]), None),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_leave_everything_as_it_was(name):
    call, message = WRONG[name]
    before = [t.clone() for t in (X, W, B, OTHER, IMAGE, KERNEL, MEAN, VAR)]
    use(W)
    expected, fused = use(W), torch.ipex.eager_fusion()
    for gradients in (False, True):
        with pytest.raises((RuntimeError, IndexError, ValueError), match=message), torch.set_grad_enabled(gradients):
            call()
    assert all(map(torch.equal, (X, W, B, OTHER, IMAGE, KERNEL, MEAN, VAR), before))
    assert torch.equal(use(W), expected) and torch.ipex.eager_fusion() == fused
    assert ipex.get_auto_mix_precision() is None


def test_an_error_ends_nothing_of_int8_or_mixed_precision():
    """Both are set aside while an operator computes on CPU tensors, and come back when it raises."""
    layer, x = torch.nn.Linear(64, 32).to("ipex").requires_grad_(False), X.to("ipex")
    conf = ipex.AmpConf(torch.int8)
    for mode in ("calibration", "inference"):
        with ipex.AutoMixPrecision(conf, mode):
            with pytest.raises(RuntimeError):
                OPS.linear(X[:, :63], W)
            layer(x).cpu()
    assert [entry.name for entry in conf.calibration.entries()] == ["Linear"]
    with ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
        with pytest.raises(RuntimeError):
            OPS.linear(X[:, :63], W)
        assert ipex.physical_form(layer(x)).dtype == "BFloat16"


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("kind", ["sparse", "mkldnn", "quantized"])
def test_other_kinds_of_tensors_are_refused(kind):
    weight = {
        "sparse": W.to_sparse,
        "mkldnn": W.to_mkldnn,
        "quantized": lambda: torch.quantize_per_tensor(W, 0.1, 0, torch.qint8),
    }[kind]()
    with pytest.raises((NotImplementedError, RuntimeError)), torch.no_grad():
        OPS.linear(X, weight)


def test_lstm_without_states():
    x, _, *rest = lstm_arguments()
    with pytest.raises((RuntimeError, ValueError), match=r"lstm.*hx|hx.*lstm"):
        OPS.lstm(x, [], *rest)


@pytest.mark.parametrize("device", DEVICES)
def test_attention_with_other_keys_than_values(device):
    image = IMAGE.to(device)
    with pytest.raises((RuntimeError, ValueError), match="3"), torch.no_grad():
        OPS.scaled_dot_product_attention(image, image, image[..., :3, :])
