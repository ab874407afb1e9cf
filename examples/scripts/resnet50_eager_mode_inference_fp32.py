"""ResNet-50 inference in float32: eager mode."""

import torch
import torchvision.models as models

import intel_extension_for_pytorch as ipex

model = models.resnet50(weights="ResNet50_Weights.DEFAULT")
model.eval()
data = torch.rand(128, 3, 224, 224)

model = ipex.optimize(model)

with torch.no_grad():
    output = model(data)

print("Execution finished")
