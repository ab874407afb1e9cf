"""Programs of one operator, or of a few: native ones and fallbacks, views, copies, writes in place, random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .program import Program

_source = torch.Generator().manual_seed(0)


def randn(*size: int) -> Tensor:
    return torch.randn(size, generator=_source)


def integers(high: int, *size: int) -> Tensor:
    return torch.randint(high, size, generator=_source)


def grad(*size: int) -> Tensor:
    return randn(*size).requires_grad_()


def as_cpu(x: Tensor) -> Tensor:
    return torch.ipex.as_cpu(x) if x.device.type == "ipex" else x


def seeded(call: Callable[..., Any]) -> Callable[..., Any]:
    """Seeds the generators before the call."""

    def run(*inputs: Any) -> Any:
        torch.manual_seed(7)
        return call(*inputs)

    return run


def gradients(call: Callable[..., Tensor]) -> Callable[..., list[Tensor]]:
    """Returns the gradients of the sum of squares of what `call` computes."""

    def run(*inputs: Tensor) -> list[Tensor]:
        wanted = [x for x in inputs if x.requires_grad]
        return list(torch.autograd.grad(call(*inputs).square().sum(), wanted))

    return run


def resized(x: Tensor) -> Tensor:
    x.resize_(64, 64)[1:] = 0
    return x


def assigned(x: Tensor, y: Tensor) -> Tensor:
    x[1:3] = y
    x[:, 2] += 1
    return x


def summed(x: Tensor) -> Tensor:
    return torch.stack([x.sum(), x.mean(), x.std(), x.sum(1).max()])


def between_devices(x: Tensor) -> list[Tensor]:
    return [
        x.cpu().to(x.device),
        x.to("cpu", torch.bfloat16).to(x.device, torch.float32),
        torch.zeros_like(x).copy_(x.cpu()),
    ]


def dtypes(x: Tensor) -> list[Tensor]:
    return [x.double(), x.bfloat16(), x.half(), x.int(), x.bool(), x.bfloat16().float()]


def strides(x: Tensor) -> list[Tensor]:
    y = x.contiguous(memory_format=torch.channels_last)
    return [y, y[:, 2:], y.flatten(1), y.permute(0, 3, 1, 2).contiguous(), y.contiguous()]


def texts(x: Tensor) -> list[Any]:
    return [torch.tensor(len(repr(x)) > 99), torch.tensor(x.tolist()), torch.tensor(x.sum().item())]


def shared(x: Tensor) -> list[Tensor]:
    y = torch._lazy_clone(x)
    z = torch._lazy_clone(y)
    return [y.add_(1), z, torch._lazy_clone(z).mul_(2)]


def storage_resized(x: Tensor) -> Tensor:
    x.untyped_storage().resize_(100_000)
    return x * 1


def resize_storm(x: Tensor) -> list[Tensor]:
    y = torch.empty(0, device=x.device)
    torch.mm(x, x.t(), out=y)
    return [torch.mul(y, 2, out=torch.empty(0, device=x.device)), y]


def outs(x: Tensor, y: Tensor, z: Tensor) -> list[Tensor]:
    z.resize_(0)  # so that add does not warn
    return [torch.add(x, y, out=z), torch.mm(x, y, out=torch.empty(0, device=x.device))]


OPERATORS = [
    # Products and convolutions.
    Program("conv1d", F.conv1d, (randn(2, 4, 20), randn(6, 4, 3), randn(6))),
    Program("conv2d", F.conv2d, (randn(2, 16, 12, 12), randn(32, 16, 3, 3), randn(32))),
    Program("conv2d large weights", F.conv2d, (randn(1, 64, 6, 6), randn(64, 64, 3, 3), randn(64))),
    Program("conv2d groups", lambda x, w: F.conv2d(x, w, groups=8), (randn(2, 8, 9, 9), randn(8, 1, 3, 3))),
    Program("conv3d", F.conv3d, (randn(1, 4, 5, 6, 6), randn(4, 4, 3, 3, 3))),
    Program("conv_transpose2d", F.conv_transpose2d, (randn(2, 8, 6, 6), randn(8, 16, 3, 3))),
    Program("conv2d gradients", gradients(F.conv2d), (grad(2, 8, 8, 8), grad(16, 8, 3, 3), grad(16)), coefficient=100),
    Program("linear", F.linear, (randn(7, 300), randn(130, 300), randn(130))),
    Program("linear 3d", F.linear, (randn(2, 7, 64), randn(256, 64))),
    Program("linear gradients", gradients(F.linear), (grad(7, 32), grad(24, 32), grad(24)), coefficient=100),
    Program("large linear", F.linear, (randn(3, 3000), randn(3000, 3000), randn(3000)), is_heavy=True, coefficient=100),
    Program("matmul", torch.matmul, (randn(3, 4, 40, 50), randn(50, 60))),
    Program("mm of columns", lambda x, y: x.t() @ y.t(), (randn(40, 30), randn(20, 40))),
    Program("bmm", torch.bmm, (randn(4, 30, 40), randn(4, 40, 50))),
    Program("addmm", torch.addmm, (randn(50), randn(30, 40), randn(40, 50))),
    Program("mv and dot", lambda a, x: [a @ x, x @ x], (randn(40, 50), randn(50))),
    Program("einsum", lambda x, y: torch.einsum("bij,kj->bik", x, y), (randn(2, 20, 30), randn(8, 30))),
    Program("bfloat16 mm", torch.mm, (randn(40, 50).bfloat16(), randn(50, 60).bfloat16())),
    Program("attention", F.scaled_dot_product_attention, (randn(2, 4, 20, 16), randn(2, 4, 20, 16), randn(2, 4, 20, 16))),
    Program("attention gradients", gradients(F.scaled_dot_product_attention), (grad(1, 2, 20, 16), grad(1, 2, 20, 16), grad(1, 2, 20, 16)), coefficient=100),
    # Normalisation, pooling, activations, reductions.
    Program("batch_norm", F.batch_norm, (randn(4, 16, 9, 9), randn(16), randn(16).abs() + 1, randn(16), randn(16))),
    Program("batch_norm training", lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b, True), (randn(4, 16, 9, 9), randn(16), randn(16).abs(), randn(16), randn(16)), writes=(1, 2)),
    Program("batch_norm gradients", gradients(lambda x, w: F.batch_norm(x, None, None, w, None, True) * x), (grad(4, 16, 5, 5), grad(16)), coefficient=100),
    Program("layer_norm", lambda x, w, b: F.layer_norm(x, (64,), w, b), (randn(30, 64), randn(64), randn(64))),
    Program("layer_norm gradients", gradients(lambda x, w: F.layer_norm(x, (64,), w)), (grad(30, 64), grad(64)), coefficient=100),
    Program("group_norm", lambda x: F.group_norm(x, 4), (randn(2, 16, 8, 8),)),
    Program("max_pool2d", lambda x: F.max_pool2d(x, 3, 2), (randn(2, 16, 12, 12),)),
    Program("max_pool2d with indices", lambda x: F.max_pool2d(x, 2, return_indices=True), (randn(2, 16, 12, 12),)),
    Program("max_pool2d gradients", gradients(lambda x: F.max_pool2d(x, 2)), (grad(2, 16, 12, 12),)),
    Program("avg_pool2d", lambda x: [F.avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, 1)], (randn(2, 16, 12, 12),)),
    Program("interpolate", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), (randn(2, 8, 6, 6),)),
    Program("softmax", lambda x: [x.softmax(-1), x.log_softmax(0)], (randn(40, 60),)),
    Program("activations", lambda x: [F.gelu(x), F.silu(x), x.sigmoid(), F.hardswish(x), F.elu(x), x.tanh()], (randn(40, 60),)),
    Program("arithmetic", lambda x, y: [x + y, x * y, x - 2 * y, x / (y + 9), torch.where(x > 0, x, y), x.clamp(-1, 1)], (randn(40, 60), randn(60))),
    Program("reductions", summed, (randn(40, 60),)),
    Program("losses", lambda x, y, t: [F.mse_loss(x, y), F.cross_entropy(x, t)], (randn(40, 60), randn(40, 60), integers(60, 40))),
    # Copies, views and selections.
    Program("cat", lambda x, y: [torch.cat([x, y]), torch.stack([x, y], 1), torch.cat([x, y], 1)], (randn(4, 8, 6, 6), randn(4, 8, 6, 6))),
    Program("embedding", F.embedding, (integers(50, 9, 4), randn(50, 24))),
    Program("embedding of packed weights", lambda i, w, x: [F.linear(x, w), F.embedding(i, w)], (integers(200, 9), randn(200, 128), randn(3, 128))),
    Program("embedding gradients", gradients(lambda w, i: F.embedding(i, w)), (grad(50, 24), integers(50, 9, 4))),
    Program("index", lambda x, i: [x[i], x.index_select(0, i), x[x > 0], x[:, i]], (randn(20, 20), integers(20, 9))),
    Program("between devices", between_devices, (randn(40, 60),), coefficient=1e4),
    Program("dtypes", dtypes, (randn(40, 60),)),
    Program("strides", strides, (randn(2, 8, 9, 9),)),
    Program("views", lambda x: [x.t().contiguous(), x.reshape(-1, 3).clone(), x[::2, 1::3].clone(), x.unfold(1, 5, 3).clone()], (randn(40, 60),)),
    Program("fallbacks", lambda x: [x.cumsum(0), x.sort()[0], x.topk(3)[1], x.median(1)[0], torch.linalg.qr(x)[1].abs()], (randn(20, 20),), coefficient=100),
    Program("dynamic sizes", lambda x: [x.nonzero(), x.unique(), x.masked_select(x > 0)], (integers(9, 40, 60),)),
    Program("sparse", lambda x: torch.sparse.mm(F.relu(x).to_sparse(), x), (randn(20, 20),)),
    Program("text", texts, (randn(4, 9, 9),), coefficient=1e4),
    Program("as_cpu", lambda x: [as_cpu(F.relu(x)), as_cpu(x)], (randn(40, 60),)),
    Program("as_cpu of physical values", lambda x, w: as_cpu(F.conv2d(x, w)), (randn(2, 16, 12, 12), randn(16, 16, 3, 3))),
    Program("pin_memory", lambda x: x.cpu().pin_memory(), (randn(40, 60),)),
    # Writes.
    Program("in place", lambda x, y: x.add_(y).mul_(2).relu_(), (randn(40, 60), randn(40, 60)), writes=(0,)),
    Program("in place on a view", lambda x, y: x.t()[3:].add_(y), (randn(40, 60), randn(57, 40)), writes=(0,), is_one_write=True),
    Program("in place fallback", lambda x: x.cumsum_(0).sort()[0], (randn(40, 60),), writes=(0,), is_one_write=True),
    Program("in place on weights", lambda x, w: [F.linear(x, w), w.add_(1), F.linear(x, w)], (randn(9, 128), randn(200, 128)), writes=(1,), is_one_write=True),
    Program("in place on physical values", lambda x, w: F.conv2d(x, w).add_(1).mul_(3)[:, :3], (randn(2, 16, 12, 12), randn(16, 16, 3, 3))),
    Program("assign", assigned, (randn(20, 20), randn(2, 20)), writes=(0,)),
    Program("index_put_", lambda x, i, y: x.index_put_((i,), y, accumulate=True), (randn(20, 20), integers(20, 5), randn(5, 20)), writes=(0,), is_one_write=True),
    Program("copy_", lambda x, y: x.copy_(y), (randn(40, 60), randn(40, 60).double()), writes=(0,), is_one_write=True),
    Program("foreach", lambda x, y: torch._foreach_add([x, y], [y, x]), (randn(40, 60), randn(40, 60))),
    Program("foreach in place", lambda x, y: [torch._foreach_mul_([x, y], 2), [x, y]][1], (randn(40, 60), randn(40, 60)), writes=(0, 1), is_one_write=True),
    Program("resize_", resized, (randn(8, 16),), writes=(0,), is_one_write=True),
    Program("resize storage", storage_resized, (randn(8, 16),), writes=(0,), is_one_write=True),
    Program("resized results", resize_storm, (randn(50, 60),)),
    Program("copy on write", shared, (randn(40, 60),)),
    Program("out", outs, (randn(40, 40), randn(40, 40), randn(1)), writes=(2,)),
    Program("set_", lambda x, y: x.set_(y.clone()), (randn(8, 16), randn(40, 60)), writes=(0,), is_one_write=True),
    # Random numbers.
    Program("randn", seeded(lambda x: [torch.randn(40, 60, device=x.device), torch.randperm(99, device=x.device)]), (randn(1),), is_random=True),
    Program("random in place", seeded(lambda x: x.normal_().bernoulli_(0.3)), (randn(40, 60),), writes=(0,), is_random=True),
    Program("dropout", seeded(gradients(lambda x: F.dropout(x, 0.4))), (grad(40, 60),), is_random=True),
    Program("multinomial", seeded(lambda x: x.multinomial(5)), (randn(40, 60).abs(),), is_random=True),
]  # fmt: skip
