"""Concatenations in int8 against the reference, and parts of tensors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .blocks import FUSED, IMAGE, branches
from .running import Program, batch_norm, check

CATS = {
    "two": lambda x, a, b: torch.cat([a, b], 1),
    "three": lambda x, a, b: torch.cat([b, a, b], 1),
    "with the input": lambda x, a, b: torch.cat([x, a, b], 1),
    "along the batch": lambda x, a, b: torch.cat([a, b], 0),
    "along rows": lambda x, a, b: torch.cat([a, b], 2),
    "along columns": lambda x, a, b: torch.cat([a, b], -1),
    "twice": lambda x, a, b: torch.cat([torch.cat([a, b], 1), a], 1),
    "with relu": lambda x, a, b: F.relu(torch.cat([a, b], 1)),
    "with batch norm": lambda x, a, b: F.batch_norm(
        torch.cat([a, b], 1), torch.ones(14).to(x), torch.full((14,), 0.3).to(x)
    ),
    "with a pool": lambda x, a, b: F.max_pool2d(torch.cat([a, b], 1), 2),
    "of pools": lambda x, a, b: torch.cat([F.max_pool2d(a, 2), F.avg_pool2d(b, 2)], 1),
}


@FUSED
@pytest.mark.parametrize("name", CATS)
def test_concatenation(name, fused):
    check(branches(CATS[name]), IMAGE, fused=[fused])


PARTS = {
    "cat": lambda a, b: torch.cat([a, b], 1),
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "in place": lambda a, b: (a * 1).add_(b),
}


@FUSED
@pytest.mark.parametrize("part", ["channels", "rows", "images"])
@pytest.mark.parametrize("name", PARTS)
def test_parts(name, part, fused):
    def body(m, x):
        y = m.first(x)
        z = m.second(y)
        if part == "images":
            return m.last(PARTS[name](y[:1], z[1:]))
        if part == "rows":
            return m.last(PARTS[name](y[:, :, 1:5], z[:, :, 2:]))
        return m.last(PARTS[name](y[:, :4], z[:, 2:6]))

    torch.manual_seed(0)
    layers = {"first": nn.Conv2d(3, 6, 1), "second": nn.Conv2d(6, 6, 1), "last": nn.LazyConv2d(4, 1)}
    program = Program(body, **layers)
    with torch.no_grad():
        program(IMAGE(0))
    check(program, IMAGE, fused=[fused])


@FUSED
def test_concatenation_in_float32(fused):
    def edit(entries):
        next(entry for entry in entries if entry.name == "Cat").quantized = False

    check(branches(CATS["two"]), IMAGE, edit, fused=[fused])


@FUSED
def test_more_branches_than_stay_open(fused):
    def body(m, x):
        x = F.relu(m.stem(x))
        return m.last(torch.cat([F.relu(conv(x)) for conv in m.branches], 1))

    torch.manual_seed(0)
    branches = nn.ModuleList([nn.Conv2d(6, 3 + size % 3, size, padding=size // 2) for size in (1, 3, 5, 1, 3, 1, 3)])
    last = nn.Conv2d(sum(conv.out_channels for conv in branches), 4, 1)
    check(Program(body, stem=nn.Conv2d(3, 6, 1), branches=branches, last=last), IMAGE, fused=[fused])


@FUSED
def test_dense_block(fused):
    def body(m, x):
        features = [F.relu(m.stem(x))]
        for norm, conv in ((m.norm1, m.conv1), (m.norm2, m.conv2)):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        return m.last(torch.cat(features, 1))

    torch.manual_seed(0)
    layers = {
        "stem": nn.Conv2d(3, 6, 3, padding=1),
        "norm1": batch_norm(6),
        "conv1": nn.Conv2d(6, 5, 3, padding=1),
        "norm2": batch_norm(11),
        "conv2": nn.Conv2d(11, 5, 3, padding=1),
        "last": nn.Conv2d(16, 4, 1),
    }
    check(Program(body, **layers), IMAGE, fused=[fused])
