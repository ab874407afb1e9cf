"""What `torch.ipex` offers, one topic a file; the table of names is SURFACE in _torch_ipex_device_autoload.py."""
