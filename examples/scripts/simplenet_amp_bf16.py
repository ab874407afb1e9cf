"""Automatic mixed precision of the device API: switched on for the process, then in a block."""

import torch

import intel_pytorch_extension as ipex


class SimpleNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(64, 128, (3, 3), stride=(2, 2), padding=(1, 1), bias=False)

    def forward(self, x):
        return torch.relu(self.conv(x))


model = SimpleNet().to(ipex.DEVICE).eval()
data = torch.rand(1, 64, 56, 56)

ipex.enable_auto_mixed_precision(mixed_dtype=torch.bfloat16)
with torch.no_grad():
    process_output = model(data.to(ipex.DEVICE))
ipex.enable_auto_mixed_precision(mixed_dtype=None)

conf = ipex.AmpConf(torch.bfloat16)
with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="inference"):
    output = model(data.to(ipex.DEVICE))

print("Execution finished")
