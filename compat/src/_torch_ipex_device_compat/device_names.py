"""Public names of the old device API (intel_pytorch_extension 1.2) that torch_ipex_device may lack: what to use instead.

A row is consulted only while torch_ipex_device has no such name, so rows need no care when features arrive.
"""

from __future__ import annotations

# fmt: off
REPLACEMENTS: dict[str, str] = {
    "AmpConf": "automatic mixed precision and INT8 are not available in this version; `torch.autocast(\"ipex\", torch.bfloat16)` is",
    "AutoMixPrecision": "automatic mixed precision is not available in this version; use `torch.autocast(\"ipex\", torch.bfloat16)`",
    "FrozenBatchNorm2d": "use `torchvision.ops.FrozenBatchNorm2d`",
    "IpexMLPFC": "use `torch.nn.functional.linear` followed by the activation",
    "IpexMLPHandle": "no handles are needed; use `torch.nn.Linear` followed by the activation",
    "IpexMLPLinear": "use `torch.nn.Linear` followed by `torch.nn.ReLU` or `torch.nn.Sigmoid`",
    "LinearRelu": "use `torch.nn.Sequential(torch.nn.Linear(...), torch.nn.ReLU())`",
    "RNN": "use `torch.nn.RNN`; it is no longer replaced",
    "ROIAlign": "use `torchvision.ops.RoIAlign(..., aligned=False)`",
    "SplitSGD": "use `torch_ipex_device.optim.SplitSGD`",
    "adaptive_avg_pool2d": "use `torch.nn.functional.adaptive_avg_pool2d`",
    "batch_score_nms": "use `torchvision.ops.batched_nms`",
    "embeddingbag": "use `torch.nn.functional.embedding_bag`",
    "enable_auto_mixed_precision": "automatic mixed precision is not available in this version; use `torch.autocast(\"ipex\", torch.bfloat16)`",
    "frozen_batch_norm": "use `torch.nn.functional.batch_norm(..., training=False, eps=0.0)`",
    "get_auto_mix_precision": "automatic mixed precision is not available in this version; for autocast: `torch.is_autocast_enabled(\"ipex\")`",
    "get_train": "automatic mixed precision is not available in this version; `intel_pytorch_extension.core.get_train()` holds the recorded mode",
    "gru": "use `torch.nn.GRU`; it is no longer replaced",
    "interaction": "not available in this version; concatenate, `torch.bmm`, and take the strict lower triangle",
    "is_available": "use `torch.ipex.is_available()`",
    "linear": "use `torch.nn.functional.linear`; it is no longer replaced",
    "lstm": "use `torch.nn.LSTM`; it is no longer replaced",
    "max_pool2d": "use `torch.nn.functional.max_pool2d`",
    "max_pool3d": "use `torch.nn.functional.max_pool3d`",
    "nms": "use `torchvision.ops.nms` (boxes without the +1 convention)",
    "roi_align": "use `torchvision.ops.roi_align(..., aligned=False)`",
    "save": "use `torch.save`; it is no longer replaced",
    "script_": "use `torch.jit.script`; it is no longer replaced",
    "to": "use `module.to(DEVICE)`; it is no longer replaced",
    "trace_": "use `torch.jit.trace`; it is no longer replaced",
}
# fmt: on
