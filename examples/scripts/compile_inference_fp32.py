"""torch.compile inference in float32."""

import torch
import torchvision.models as models

import intel_extension_for_pytorch as ipex  # noqa: F401 - registers the backend

model = models.resnet50(weights="ResNet50_Weights.DEFAULT")
model.eval()
data = torch.rand(128, 3, 224, 224)

compiled_model = torch.compile(model, backend="ipex")

with torch.no_grad():
    output = compiled_model(data)

print("Execution finished")
