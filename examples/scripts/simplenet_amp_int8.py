"""INT8 of the device API: calibrate, save the recipe, infer with it."""

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

conf = ipex.AmpConf(torch.int8)
with torch.no_grad():
    for _ in range(4):
        with ipex.AutoMixPrecision(conf, running_mode="calibration"):
            model(torch.rand(1, 64, 56, 56).to(ipex.DEVICE))
conf.save("configure.json")

conf = ipex.AmpConf(torch.int8, "configure.json")
with torch.no_grad(), ipex.AutoMixPrecision(conf, running_mode="inference"):
    output = model(data.to(ipex.DEVICE))

print("Execution finished")
