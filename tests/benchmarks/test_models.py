"""The models of the comparison: their arithmetic, the same weights and inputs every time, nothing imported that peers lack."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

NAMES = ["resnet50", "mobilenet_v3", "densenet121", "vit_b_16", "bert", "gpt2", "lstm"]


def needs_torchvision(name):
    if name not in ("bert", "gpt2", "lstm") and importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed; `make demo` installs it")


def test_table_has_the_seven_models(models):
    assert list(models.MODELS) == NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if name != "lstm"])
def test_arithmetic_is_what_the_flop_counter_counts(models, name):
    needs_torchvision(name)
    row = models.MODELS[name]
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not know the fused operator
    try:
        with (
            torch.device("meta"),
            torch.no_grad(),
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            row.create().eval()(row.example(1).to("meta"))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    assert counter.get_total_flops() / 1e9 == pytest.approx(row.gflop, rel=0.005)


def test_arithmetic_of_lstm_is_that_of_its_matrix_products(models):
    row = models.MODELS["lstm"]
    model = row.create()
    matrices = [weight for name, weight in model.named_parameters() if weight.dim() == 2 and "token" not in name]
    assert row.gflop == pytest.approx(2 * 64 * sum(weight.numel() for weight in matrices) / 1e9)


@pytest.mark.parametrize("name", ["lstm", "mobilenet_v3"])
def test_model_and_input_are_the_same_every_time(models, name):
    needs_torchvision(name)
    row = models.MODELS[name]
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = row.build().state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    again = row.build().state_dict()
    assert first.keys() == again.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert torch.equal(row.example(3), row.example(3))


def test_settled_activations_neither_vanish_nor_grow(models):
    needs_torchvision("mobilenet_v3")
    row = models.MODELS["mobilenet_v3"]
    model = row.build()
    with torch.inference_mode():
        assert 1e-3 < float(model(row.example(2)).std()) < 1e3
    assert {norm.momentum for norm in model.modules() if isinstance(norm, torch.nn.BatchNorm2d)} == {0.01}


@pytest.mark.parametrize(
    ("name", "shape"),
    [("bert", (1, 128, 9)), ("gpt2", (1, 128, 50257)), ("lstm", (1, 64, 1000)), ("vit_b_16", (1, 1000))],
)
def test_output_is_one_tensor_of_logits(models, name, shape):
    needs_torchvision(name)
    with torch.device("meta"):
        row = models.MODELS[name]
        assert row.create().eval()(row.example(1).to("meta")).shape == shape


def test_gpt2_sees_no_token_that_follows(models):
    row = models.MODELS["gpt2"]
    model, ids = row.build(), row.example(1)[:, :8]
    changed = ids.clone()
    changed[0, 5] += 1
    with torch.inference_mode():
        same = (model(ids) - model(changed)).abs().amax(dim=(0, 2)) == 0
    assert same.tolist() == [True] * 5 + [False] * 3


def test_loss_of_logits_of_any_rank_is_cross_entropy(models):
    logits = torch.randn(2, 3, 5, dtype=torch.bfloat16)
    target = models.target_of(logits)
    assert target.shape == (2, 3)
    expected = torch.nn.functional.cross_entropy(logits.float().reshape(6, 5), target.reshape(6))
    torch.testing.assert_close(models.loss(logits, target), expected)


def test_models_load_where_the_package_is_not_installed(benchmarks):
    needs_torchvision("mobilenet_v3")
    program = (
        "import sys; sys.modules['torch_ipex_device'] = None; from models import MODELS; "
        "print(sum(p.numel() for p in MODELS['mobilenet_v3'].create().parameters()))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=benchmarks, capture_output=True, text=True)
    assert done.stdout.strip() == "5483032", done.stderr
