"""Programs in which results of convolutions meet, with everything that their tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .running import Program, batch_norm, values

FUSED = pytest.mark.parametrize("fused", [True, False], ids=["fused", "not fused"])
IMAGE = values(2, 3, 6, 5)


def identity(x: Tensor) -> Tensor:
    """Returns its argument."""
    return x


def block(
    join: Callable[[Tensor, Tensor], Tensor],
    start: Callable[[Tensor], Tensor] = F.relu,
    end: Callable[[Tensor], Tensor] = F.relu,
    down: bool = False,
) -> Program:
    """Returns a convolution, a block with a shortcut and a convolution.

    Args:
        join: of what the block computes and its shortcut.
        start: what makes the input of the block.
        end: what follows `join`.
        down: whether the shortcut is a convolution too.
    """

    def body(m: Any, x: Tensor) -> Tensor:
        x = start(m.stem(x))
        y = m.norm2(m.conv2(F.relu(m.norm1(m.conv1(x)))))
        shortcut = m.norm3(m.down(x)) if down else x
        return m.last(end(join(y, shortcut)))

    torch.manual_seed(0)
    stride = 2 if down else 1
    return Program(
        body,
        stem=nn.Conv2d(3, 9, 3, padding=1),
        conv1=nn.Conv2d(9, 11, 3, stride=stride, padding=1, bias=False),
        norm1=batch_norm(11),
        conv2=nn.Conv2d(11, 9, 1, bias=False),
        norm2=batch_norm(9),
        down=nn.Conv2d(9, 9, 1, stride=stride, bias=False),
        norm3=batch_norm(9),
        last=nn.Conv2d(9, 4, 1),
    )


def branches(join: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Program:
    """Returns two convolutions of different ranges, whose results, with the input, are joined for a third one."""

    def body(m: Any, x: Tensor) -> Tensor:
        return m.last(join(x, F.relu(m.small(x)), m.large(x)))

    torch.manual_seed(0)
    small, large, last = nn.Conv2d(3, 7, 3, padding=1), nn.Conv2d(3, 7, 1), nn.LazyConv2d(4, 1)
    large.weight.data.mul_(6)
    program = Program(body, small=small, large=large, last=last)
    with torch.no_grad():
        program(IMAGE(0))
    return program


def layers(stride: int = 1) -> dict[str, nn.Module]:
    """Returns what the three programs below are made of."""
    torch.manual_seed(0)
    return {
        "stem": nn.Conv2d(5, 16, 1),
        "conv1": nn.Conv2d(16, 19, 3, stride=stride, padding=1, bias=False),
        "norm1": batch_norm(19),
        "conv2": nn.Conv2d(19, 16, 3, padding=1, bias=False),
        "norm2": batch_norm(16),
        "down": nn.Conv2d(16, 16, 1, stride=stride, bias=False),
        "norm3": batch_norm(16),
        "last": nn.Conv2d(16, 4, 1),
    }


def chain(m: Any, x: Tensor) -> Tensor:
    """Convolutions, one behind the other."""
    x = F.relu(m.stem(x))
    x = F.relu(m.norm1(m.conv1(x)))
    return m.last(F.relu(m.norm2(m.conv2(x))))


def residual_block(m: Any, x: Tensor) -> Tensor:
    """A block whose shortcut is its input."""
    x = F.relu(m.stem(x))
    y = F.relu(m.norm1(m.conv1(x)))
    y = m.norm2(m.conv2(y))
    y += x
    return m.last(F.relu(y, inplace=True))


def block_with_a_convolution_as_shortcut(m: Any, x: Tensor) -> Tensor:
    """A block whose shortcut is a convolution."""
    x = F.relu(m.stem(x))
    y = m.norm2(m.conv2(F.relu(m.norm1(m.conv1(x)), inplace=True)))
    y += m.norm3(m.down(x))
    return m.last(F.relu(y, inplace=True))


PROGRAMS: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "chain": chain,
    "residual_block": residual_block,
    "block_with_a_convolution_as_shortcut": block_with_a_convolution_as_shortcut,
}
