"""Inference by a captured graph: ipex.optimize(graph_mode=True)."""

import torch
import torchvision.models as models

import intel_extension_for_pytorch as ipex

model = models.resnet50(weights="ResNet50_Weights.DEFAULT")
model.eval()
data = torch.rand(1, 3, 224, 224)

model = ipex.optimize(model, graph_mode=True)

with torch.no_grad():
    model(data)  # captures
    output = model(data)

print("Execution finished")
