"""BERT inference in float32: torch.compile(backend="ipex")."""

import torch
from transformers import BertModel

import intel_extension_for_pytorch as ipex

model = BertModel.from_pretrained("bert-base-uncased")
model.eval()

vocab_size = model.config.vocab_size
batch_size = 128
seq_length = 512
data = torch.randint(vocab_size, size=[batch_size, seq_length])

model = ipex.optimize(model, weights_prepack=False)
model = torch.compile(model, backend="ipex")

with torch.no_grad():
    output = model(data)

print("Execution finished")
