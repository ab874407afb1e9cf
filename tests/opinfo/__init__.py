"""Acceptance suite: every operator, module and optimizer of PyTorch's test databases, compared with stock CPU."""
