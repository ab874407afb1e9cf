"""intel_pytorch_extension.core: every function of the old native module works, or says what to do instead."""

from __future__ import annotations

import gc

import pytest
import torch

import torch_ipex_device

core = pytest.importorskip("intel_pytorch_extension", reason="the compat distribution is not installed").core

# The complete list of functions of the native module at version 1.2.
OLD_NAMES = [
    "_get_git_revs",
    "enable_auto_dnnl",
    "disable_auto_dnnl",
    "get_auto_dnnl",
    "enable_mix_bf16_fp32",
    "disable_mix_bf16_fp32",
    "get_mix_bf16_fp32",
    "enable_mix_int8_fp32",
    "disable_mix_int8_fp32",
    "get_mix_int8_fp32",
    "enable_int8_calibration",
    "disable_int8_calibration",
    "get_int8_calibration",
    "set_execution_mode",
    "get_train",
    "enable_jit_opt",
    "disable_jit_opt",
    "get_jit_opt",
    "calibration_reset",
    "add_indicators",
    "clear_indicators",
    "get_int8_configures",
    "load_indicators_file",
    "packed_add_",
    "mlp_create_handle",
    "mlp_set_relu_mask",
    "mlp_forward",
    "mlp_backward",
    "mlp_release_handle",
    "is_dil_tensor",
    "is_int8_dil_tensor",
    "is_bf16_dil_tensor",
    "is_fp32_dil_tensor",
    "get_dil_tensor_sizes",
    "get_dil_tensor_strides",
    "set_parameter_tensor",
    "is_parameter_tensor",
    "reorder_to_float32",
    "enable_torch_ccl",
    "set_xpu_mode",
    "roi_align_forward",
    "roi_align_backward",
    "nms",
    "batch_score_nms",
    "linear_relu",
]
INTROSPECTION = (
    "is_dil_tensor",
    "is_int8_dil_tensor",
    "is_bf16_dil_tensor",
    "is_fp32_dil_tensor",
    "is_parameter_tensor",
)


@pytest.fixture
def restore_switches():
    native, train = core.get_auto_dnnl(), core.get_train()
    yield
    (core.enable_auto_dnnl if native else core.disable_auto_dnnl)()
    core.set_execution_mode(train)


def test_every_old_name_is_accounted_for():
    assert {name for name in OLD_NAMES if not hasattr(core, name)} == set(core.REMOVED)


@pytest.mark.parametrize("name", sorted(set(OLD_NAMES) - set(core.REMOVED)))
def test_offered_function_is_documented(name):
    assert callable(getattr(core, name))
    assert getattr(core, name).__doc__


@pytest.mark.parametrize("name", sorted(core.REMOVED))
def test_error_for_removed_function_names_replacement(name):
    with pytest.raises(
        AttributeError, match=rf"no attribute '{name}'; .*(use `|use a new `|leave the `|there are no )"
    ):
        getattr(core, name)


def test_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'no_such_function'"):
        core.no_such_function  # noqa: B018


def test_auto_dnnl_is_on_by_default():
    assert core.get_auto_dnnl() is True


@pytest.mark.usefixtures("restore_switches")
def test_disable_auto_dnnl_sends_native_operators_to_fallback():
    x = torch.randn(4, 8, device=torch_ipex_device.DEVICE)

    def native_calls():
        torch_ipex_device._C.reset_operator_stats()
        torch.softmax(x, -1)
        return sum(native for native, _ in torch_ipex_device._C.operator_stats().values())

    core.disable_auto_dnnl()
    assert core.get_auto_dnnl() is False
    assert native_calls() == 0
    core.enable_auto_dnnl()
    assert core.get_auto_dnnl() is True
    assert native_calls() == 1


@pytest.mark.usefixtures("restore_switches")
def test_execution_mode_is_recorded():
    core.set_execution_mode(train=True)
    assert core.get_train() is True
    core.set_execution_mode(False)
    assert core.get_train() is False


@pytest.mark.parametrize("name", ["get_mix_bf16_fp32", "get_mix_int8_fp32", "get_int8_calibration", "get_jit_opt"])
def test_absent_feature_is_reported_off(name):
    assert getattr(core, name)() is False


@pytest.mark.parametrize(
    "name", ["disable_mix_bf16_fp32", "disable_mix_int8_fp32", "disable_int8_calibration", "disable_jit_opt"]
)
def test_switching_absent_feature_off_is_accepted(name):
    assert getattr(core, name)() is None


@pytest.mark.usefixtures("restore_switches")
def test_int8_introspection_follows_contexts():
    layer, x = torch.nn.Linear(8, 8).to(torch_ipex_device.DEVICE), torch.ones(2, 8, device=torch_ipex_device.DEVICE)
    conf = torch_ipex_device.AmpConf(torch.int8)
    with torch.no_grad(), torch_ipex_device.AutoMixPrecision(conf, running_mode="calibration"):
        assert (core.get_mix_int8_fp32(), core.get_int8_calibration()) == (True, True)
        y = layer(x)
    assert not core.is_int8_dil_tensor(y)
    with torch.no_grad(), torch_ipex_device.AutoMixPrecision(conf, running_mode="inference"):
        assert (core.get_mix_int8_fp32(), core.get_int8_calibration()) == (True, False)
        y = layer(x)
    assert core.is_int8_dil_tensor(y)
    assert (core.get_mix_int8_fp32(), core.get_int8_calibration()) == (False, False)


@pytest.mark.parametrize("device", ["cpu", torch_ipex_device.DEVICE])
@pytest.mark.parametrize("name", INTROSPECTION)
def test_plain_tensor_has_no_physical_form(name, device):
    assert getattr(core, name)(torch.ones(2, 3, device=device)) is False


@pytest.mark.parametrize("name", ["get_dil_tensor_sizes", "get_dil_tensor_strides"])
def test_plain_tensor_has_no_physical_sizes(name):
    assert getattr(core, name)(torch.ones(2, 3, device=torch_ipex_device.DEVICE)) == []


@pytest.mark.parametrize("name", [*INTROSPECTION, "set_parameter_tensor", "reorder_to_float32", "get_dil_tensor_sizes"])
def test_introspection_of_non_tensor_raises_e101(name):
    with pytest.raises(TypeError, match=rf"\[{name}\] E101 argument is list"):
        getattr(core, name)([1.0])


def test_reorder_to_float32_leaves_values_alone():
    x = torch.arange(6.0, device=torch_ipex_device.DEVICE)
    core.reorder_to_float32(x)
    assert x.cpu().tolist() == [0, 1, 2, 3, 4, 5]


def test_parameters_of_moved_module_are_parameter_tensors():
    module = torch.nn.Linear(2, 2)
    assert not core.is_parameter_tensor(module.weight)
    module.to(torch_ipex_device.DEVICE)
    assert core.is_parameter_tensor(module.weight)


def test_parameter_tag_covers_views_and_nothing_else():
    x, other = torch.ones(4, device=torch_ipex_device.DEVICE), torch.ones(4, device=torch_ipex_device.DEVICE)
    core.set_parameter_tensor(x)
    assert core.is_parameter_tensor(x)
    assert core.is_parameter_tensor(x[1:3])
    assert not core.is_parameter_tensor(other)


def test_parameter_tag_ends_with_its_storage():
    x = torch.ones(4, device=torch_ipex_device.DEVICE)
    core.set_parameter_tensor(x)
    del x
    gc.collect()
    fresh = [torch.ones(4, device=torch_ipex_device.DEVICE) for _ in range(100)]
    assert not any(core.is_parameter_tensor(tensor) for tensor in fresh)


def test_parameter_tag_of_cpu_tensor_is_ignored():
    x = torch.ones(4)
    core.set_parameter_tensor(x)
    assert not core.is_parameter_tensor(x)


def test_xpu_mode_accepts_cpu_only():
    core.set_xpu_mode("CPU")
    with pytest.raises(RuntimeError, match="Unknown xpu mode 'GPU'"):
        core.set_xpu_mode("GPU")


def test_git_revisions_name_both_sides():
    revisions = core._get_git_revs()
    assert revisions == {"ipex": torch_ipex_device.__version__, "torch": torch.version.git_version}


@pytest.mark.usefixtures("restore_switches")
def test_mix_bf16_switches_mixed_precision():
    core.set_execution_mode(True)
    core.enable_mix_bf16_fp32()
    try:
        assert core.get_mix_bf16_fp32() is True
        assert torch_ipex_device.get_train() is True
        with torch.no_grad():
            y = torch.nn.functional.linear(torch.ones(2, 3, device="ipex"), torch.ones(4, 3, device="ipex"))
        assert core.is_bf16_dil_tensor(y) is True
    finally:
        core.disable_mix_bf16_fp32()
    assert core.get_mix_bf16_fp32() is False
    assert y.tolist() == [[3.0] * 4] * 2
    assert core.is_bf16_dil_tensor(y) is False
