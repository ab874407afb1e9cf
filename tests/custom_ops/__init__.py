"""Tests of the operators of torch.ops.torch_ipex."""
