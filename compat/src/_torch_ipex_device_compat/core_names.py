"""Functions of the old native module (`ipex.core`) that intel_pytorch_extension.core does not offer: reason and replacement."""

from __future__ import annotations

# They will not come back: asking for them raises AttributeError with this text.
# fmt: off
REMOVED: dict[str, str] = {
    "add_indicators": "use `AmpConf(torch.int8, \"configure.json\")`; a conf holds its recipe",
    "batch_score_nms": "use `torch_ipex_device.nn.functional.batch_score_nms`",
    "calibration_reset": "leave the `AutoMixPrecision` block; the next one begins at the first operator",
    "clear_indicators": "use a new `AmpConf(torch.int8)`",
    "enable_int8_calibration": "use `AutoMixPrecision(conf, running_mode=\"calibration\")`",
    "enable_jit_opt": "there are no TorchScript passes; use `torch.compile`",
    "enable_mix_int8_fp32": "use `AutoMixPrecision(AmpConf(torch.int8), ...)`",
    "enable_torch_ccl": "use `torch.distributed.init_process_group(\"gloo\")`",
    "get_int8_configures": "use `AmpConf.save(\"configure.json\")`",
    "linear_relu": "use `torch.ops.torch_ipex.linear(input, weight, bias, post_op=\"relu\")`",
    "load_indicators_file": "use `AmpConf(torch.int8, \"configure.json\")`",
    "mlp_backward": "use `torch.nn.Linear`; autograd does the rest",
    "mlp_create_handle": "use `torch.nn.Linear`",
    "mlp_forward": "use `torch.nn.functional.linear`",
    "mlp_release_handle": "use `torch.nn.Linear`",
    "mlp_set_relu_mask": "use `torch.relu`",
    "nms": "use `torch_ipex_device.nn.functional.nms`",
    "packed_add_": "use `torch_ipex_device.optim.SplitSGD`",
    "roi_align_backward": "use `torch_ipex_device.nn.functional.roi_align`; autograd does the rest",
    "roi_align_forward": "use `torch_ipex_device.nn.functional.roi_align`",
}
# fmt: on
