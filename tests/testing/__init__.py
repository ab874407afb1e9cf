"""Tests of torch_ipex_device.testing: the comparison must notice what it is there to notice."""
