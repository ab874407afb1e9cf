"""What the two legacy import names share: forwarding to torch_ipex_device and the tables of replaced names."""
