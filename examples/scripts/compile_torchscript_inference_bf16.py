"""torch.compile inference in bfloat16, on the torchscript path."""

import torch
import torchvision.models as models

import intel_extension_for_pytorch as ipex

model = models.resnet50(weights="ResNet50_Weights.DEFAULT")
model.eval()
data = torch.rand(128, 3, 224, 224)

ipex._set_compiler_backend("torchscript")
compiled_model = torch.compile(model, backend="ipex")

with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
    output = compiled_model(data)

print("Execution finished")
