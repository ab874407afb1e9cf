"""Inference in bfloat16 with model and images in channels-last order."""

import torch
import torchvision.models as models

import intel_extension_for_pytorch as ipex

model = models.resnet50(weights="ResNet50_Weights.DEFAULT")
model.eval()
data = torch.rand(128, 3, 224, 224)

model = model.to(memory_format=torch.channels_last)
data = data.to(memory_format=torch.channels_last)
model = ipex.optimize(model, dtype=torch.bfloat16)

with torch.no_grad(), torch.cpu.amp.autocast():
    output = model(data)

print("Execution finished")
