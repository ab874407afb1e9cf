"""BERT inference in bfloat16: TorchScript."""

import torch
from transformers import BertModel

import intel_extension_for_pytorch as ipex

model = BertModel.from_pretrained("bert-base-uncased")
model.eval()

vocab_size = model.config.vocab_size
batch_size = 128
seq_length = 512
data = torch.randint(vocab_size, size=[batch_size, seq_length])

model = ipex.optimize(model, dtype=torch.bfloat16)

with torch.no_grad(), torch.cpu.amp.autocast():
    example = torch.randint(vocab_size, size=[batch_size, seq_length])
    model = torch.jit.trace(model, (example,), check_trace=False, strict=False)
    model = torch.jit.freeze(model)
    model(data)  # the first calls specialise the graph
    output = model(data)

print("Execution finished")
