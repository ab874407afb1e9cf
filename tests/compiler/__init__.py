"""Tests of torch.compile(backend="ipex")."""
