"""Training in float32 with torch.compile: ResNet-50, CIFAR-10."""

import torch
import torchvision

import intel_extension_for_pytorch as ipex  # noqa: F401 - registers the backend

LR = 0.001
DOWNLOAD = True
DATA = "datasets/cifar10/"

transform = torchvision.transforms.Compose(
    [
        torchvision.transforms.Resize((224, 224)),
        torchvision.transforms.ToTensor(),
        torchvision.transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ]
)
train_dataset = torchvision.datasets.CIFAR10(root=DATA, train=True, transform=transform, download=DOWNLOAD)
train_loader = torch.utils.data.DataLoader(dataset=train_dataset, batch_size=128)

model = torchvision.models.resnet50()
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9)
model.train()

compiled_model = torch.compile(model, backend="ipex")

for batch_idx, (data, target) in enumerate(train_loader):
    optimizer.zero_grad()
    output = compiled_model(data)
    loss = criterion(output, target)
    loss.backward()
    optimizer.step()
    print(batch_idx, loss.item())

torch.save(
    {"model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict()},
    "checkpoint.pth",
)

print("Execution finished")
