"""Functions of the old native module (`ipex.core`) that intel_pytorch_extension.core does not offer: reason and replacement."""

from __future__ import annotations

# Their feature belongs to a later release: they exist, and calling them raises NotImplementedError with this text.
# fmt: off
LATER: dict[str, str] = {
    "add_indicators": "INT8 calibration is not available in this version",
    "calibration_reset": "INT8 calibration is not available in this version",
    "clear_indicators": "INT8 calibration is not available in this version",
    "enable_int8_calibration": "INT8 calibration is not available in this version",
    "enable_mix_int8_fp32": "INT8 is not available in this version",
    "get_int8_configures": "INT8 calibration is not available in this version",
    "load_indicators_file": "INT8 recipes are not available in this version",
}

# They will not come back: asking for them raises AttributeError with this text.
REMOVED: dict[str, str] = {
    "batch_score_nms": "use `torchvision.ops.batched_nms`",
    "enable_jit_opt": "there are no TorchScript passes; use `torch.compile`",
    "enable_torch_ccl": "use `torch.distributed.init_process_group(\"gloo\")`",
    "linear_relu": "use `torch.relu(torch.nn.functional.linear(...))`",
    "mlp_backward": "use `torch.nn.Linear`; autograd does the rest",
    "mlp_create_handle": "use `torch.nn.Linear`",
    "mlp_forward": "use `torch.nn.functional.linear`",
    "mlp_release_handle": "use `torch.nn.Linear`",
    "mlp_set_relu_mask": "use `torch.relu`",
    "nms": "use `torchvision.ops.nms` (boxes without the +1 convention)",
    "packed_add_": "use `torch.optim.SGD`; parameters keep their float32 value, so there is no split to add to",
    "roi_align_backward": "use `torchvision.ops.roi_align`; autograd does the rest",
    "roi_align_forward": "use `torchvision.ops.roi_align(..., aligned=False)`",
}
# fmt: on
