"""Public names of the old device API (intel_pytorch_extension 1.2): where they are today, or what to use instead.

The text of a row is read only while torch_ipex_device has no such name, so rows need no care when features arrive.
"""

from __future__ import annotations

from .names import Name, Table, table

# fmt: off
NAMES: Table = table((
    Name("AmpConf", differs="its state is its own, not the process's; `save` may be called again"),
    Name("AutoMixPrecision", differs="a decorator too; state belongs to the thread and comes back after errors"),
    Name("DEVICE", differs="`ipex:0`; it was `xpu:0`"),
    Name("FrozenBatchNorm2d", here="nn.FrozenBatchNorm2d", differs="has no `eps` under this name, as before; the front end's has 1e-5"),
    Name("InteractionFunc", instead="use `interaction`; autograd does the rest"),
    Name("IpexMLPFC", instead="use `torch.nn.functional.linear` followed by the activation"),
    Name("IpexMLPHandle", instead="no handles are needed; use `torch.nn.Linear` followed by the activation"),
    Name("IpexMLPLinear", here="nn.modules.IpexMLPLinear", differs="tensors between layers are [N, K], not blocks"),
    Name("LinearRelu", here="nn.LinearRelu", differs="has a gradient"),
    Name("RNN", instead="use `torch.nn.RNN`; it is no longer replaced"),
    Name("RNNBase", instead="use `torch.nn.RNNBase`"),
    Name("ROIAlign", here="nn.ROIAlign", differs="`output_size` may be one number; the gradient has no data race"),
    Name("SplitSGD", here="optim.SplitSGD", differs="also with momentum and weight decay"),
    Name("__version__", differs="that of torch_ipex_device"),
    Name("_enable_auto_optimization", instead="use `enable_auto_mixed_precision`"),
    Name("_get_auto_optimization", instead="use `get_auto_mix_precision()`"),
    Name("adaptive_avg_pool2d", instead="use `torch.nn.functional.adaptive_avg_pool2d`; it is no longer replaced"),
    Name("apply_permutation", instead="use `tensor.index_select(1, permutation)`"),
    Name("batch_score_nms", here="nn.functional.batch_score_nms", differs="returns empty tensors when nothing stays"),
    Name("core", differs="[legacy_core.md](legacy_core.md)"),
    Name("embeddingbag", here="nn.functional.embeddingbag", differs="`torch.embedding_bag` is not replaced by it"),
    Name("enable_auto_mixed_precision", differs="INT8 needs a recipe: `AutoMixPrecision`"),
    Name("frozen_batch_norm", here="nn.functional.frozen_batch_norm"),
    Name("get_auto_mix_precision"),
    Name("get_train"),
    Name("gru", instead="use `torch.nn.GRU`; it is no longer replaced"),
    Name("interaction", here="nn.functional.interaction", differs="checks its arguments"),
    Name("ipex_gru", instead="use `torch.nn.GRU`"),
    Name("ipex_lstm", instead="use `torch.nn.LSTM`"),
    Name("is_available", instead="use `torch.ipex.is_available()`"),
    Name("launch", instead="coming with the launcher; until then `numactl` and `torchrun` do its work"),
    Name("linear", instead="use `torch.nn.functional.linear`; it is no longer replaced"),
    Name("lstm", instead="use `torch.nn.LSTM`; it is no longer replaced"),
    Name("max_pool2d", instead="use `torch.nn.functional.max_pool2d`; it is no longer replaced"),
    Name("max_pool3d", instead="use `torch.nn.functional.max_pool3d`; it is no longer replaced"),
    Name("nms", here="nn.functional.nms"),
    Name("ops", instead="use `torch_ipex_device.nn.functional` and `torch_ipex_device.nn`"),
    Name("optim", differs="see `SplitSGD`"),
    Name("org_tensor_deep_copy", instead="use `copy.deepcopy`; it is no longer replaced"),
    Name("orig_script", instead="use `torch.jit.script`; it is no longer replaced"),
    Name("orig_trace", instead="use `torch.jit.trace`; it is no longer replaced"),
    Name("rnn_relu", instead="use `torch.nn.RNN(nonlinearity=\"relu\")`"),
    Name("rnn_tanh", instead="use `torch.nn.RNN`"),
    Name("roi_align", here="nn.functional.roi_align", differs="`output_size` may be one number"),
    Name("save", instead="use `torch.save`; it is no longer replaced"),
    Name("script_", instead="use `torch.jit.script`; it is no longer replaced"),
    Name("to", instead="use `module.to(DEVICE)`; it is no longer replaced"),
    Name("torch_to", instead="use `module.to(DEVICE)`; it is no longer replaced"),
    Name("trace_", instead="use `torch.jit.trace`; it is no longer replaced"),
    Name("version", differs="has `__version__`"),
))
# fmt: on
