"""Training in automatic mixed precision of the device API."""

import torch

import intel_pytorch_extension as ipex


class SimpleNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(64, 128, (3, 3), stride=(2, 2), padding=(1, 1), bias=False)

    def forward(self, x):
        return torch.relu(self.conv(x))


model = SimpleNet().to(ipex.DEVICE).train()
data = torch.rand(1, 64, 56, 56).to(ipex.DEVICE)
target = torch.rand(1, 128, 28, 28).to(ipex.DEVICE)
criterion = torch.nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

ipex.enable_auto_mixed_precision(mixed_dtype=torch.bfloat16, train=True)
for _ in range(5):
    optimizer.zero_grad()
    loss = criterion(model(data), target)
    loss.backward()
    optimizer.step()
    print(loss.item())

print("Execution finished")
