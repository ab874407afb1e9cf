"""Public names of the later front end (intel_extension_for_pytorch 2.8) that torch_ipex_device may lack, and what to use.

A row is consulted only while torch_ipex_device has no such name, so rows need no care when features arrive.
"""

from __future__ import annotations

# fmt: off
REPLACEMENTS: dict[str, str] = {
    "FP32MathMode": "use `torch.backends.mkldnn.matmul.fp32_precision` and `.conv.fp32_precision`",
    "OnDevice": "use `torch.device(\"meta\")` as a context manager, then `module.to_empty(device=...)`",
    "compile": "use `torch.compile`",
    "cpu": "the `cpu` namespace (runtime, autocast, launcher) is not available in this version; use `torch.autocast` and `torch.set_num_threads`",
    "disable_auto_channels_last": "not needed; memory formats are left as the program chose them",
    "distributed": "use `torch.distributed` with the gloo backend",
    "enable_auto_channels_last": "not available in this version; use `module.to(memory_format=torch.channels_last)`",
    "enable_onednn_fusion": "TorchScript fusion is not offered; use `torch.compile`",
    "fast_bert": "not offered; the model runs unchanged on `torch_ipex_device.DEVICE`",
    "fast_layer_norm": "use `torch.nn.functional.layer_norm`",
    "get_fp32_math_mode": "read `torch.backends.mkldnn.matmul.fp32_precision` and `.conv.fp32_precision`",
    "graph": "TorchScript graph capture is not offered; use `torch.compile`",
    "launch": "the launcher is not available in this version; use `numactl` and `torchrun`",
    "llm": "not offered; models run unchanged on `torch_ipex_device.DEVICE`",
    "nn": "use `torch.nn` and `torchvision.ops`",
    "optim": "use `torch.optim` (`fused=True` for CPU tensors)",
    "optimize": "not available in this version; the model runs unchanged on `torch_ipex_device.DEVICE`",
    "optimize_transformers": "not offered; models run unchanged on `torch_ipex_device.DEVICE`",
    "quantization": "not available in this version; use `torch.ao.quantization` on CPU tensors",
    "set_fp32_math_mode": "set `torch.backends.mkldnn.matmul.fp32_precision` and `.conv.fp32_precision`",
    "tpp": "not offered; models run unchanged on `torch_ipex_device.DEVICE`",
    "verbose": "use `torch.backends.mkldnn.verbose` for PyTorch's oneDNN, the variable `ONEDNN_VERBOSE=1` for ours",
    "xpu": "GPUs are out of scope; PyTorch has its own `torch.xpu`",
}
# fmt: on
