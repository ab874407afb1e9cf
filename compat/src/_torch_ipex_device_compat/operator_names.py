"""Operators of the archived packages, `torch.ops.torch_ipex.*`: what programs that called them directly use instead.

Names that torch_ipex_device has are operators of its own, whose first arguments are the archived ones.
"""

from __future__ import annotations

from .names import Name, Table, table

_NORMS = "use `torch.nn.functional.batch_norm`, or `torch_ipex_device.nn.functional.frozen_batch_norm`"
_STEPS = "use the optimizer; `ipex.optimize` prepares it"
_POOLS = "use the function of this name in `torch.nn.functional`"
_RNNS = "use the layer of `torch.nn`"

# fmt: off
NAMES: Table = table((
    Name("ROIAlign_forward", instead="use `torch_ipex_device.nn.functional.roi_align`"),
    Name("adagrad_fused_step", instead=_STEPS),
    Name("adam_fused_step", instead=_STEPS),
    Name("adaptive_avg_pool2d", instead=_POOLS),
    Name("batch_score_nms", instead="use `torch_ipex_device.nn.functional.batch_score_nms`"),
    Name("cat_bfloat16_float", instead="use `torch_ipex_device.optim.cat_bfloat16_float`"),
    Name("embedding_bag", instead="use `torch.embedding_bag`"),
    Name("frozen_batch_norm", instead=_NORMS),
    Name("gru", instead=_RNNS),
    Name("interaction_backward", instead="use `torch_ipex_device.nn.functional.interaction`; autograd does the rest"),
    Name("interaction_forward", instead="use `torch_ipex_device.nn.functional.interaction`"),
    Name("lamb_fused_step", instead=_STEPS),
    Name("lars_fused_step", instead=_STEPS),
    Name("linear"),
    Name("linear_relu", instead="use `torch.ops.torch_ipex.linear(input, weight, bias, post_op=\"relu\")`"),
    Name("lstm", instead=_RNNS, differs="the arguments are those of `torch.lstm`"),
    Name("max_pool2d", instead=_POOLS),
    Name("max_pool3d", instead=_POOLS),
    Name("nms", instead="use `torch_ipex_device.nn.functional.nms`"),
    Name("packed_add", instead="use `torch_ipex_device.optim.SplitSGD`"),
    Name("rnn_relu", instead=_RNNS),
    Name("rnn_tanh", instead=_RNNS),
    Name("sgd_fused_step", instead=_STEPS),
    Name("split_float_bfloat16", instead="use `torch_ipex_device.optim.split_float_bfloat16`"),
    Name("sync_master_weight_to_bf16", instead=_STEPS),
    Name("sync_master_weight_to_fp16", instead=_STEPS),
))
# fmt: on
