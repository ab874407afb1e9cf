"""`MergedEmbeddingBagWithSGD` and `...WithAdaGrad`: backward updates the rows that were looked up, and keeps no gradient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from torch_ipex_device.core.errors import error
from torch_ipex_device.optim.split_float import cat_bfloat16_float, split_float_bfloat16

from .merged_embeddingbag import EmbeddingSpec, MergedEmbeddingBag, PoolingMode, specs_of


class SGDArgs(NamedTuple):
    """Settings and state of `MergedEmbeddingBagWithSGD`.

    Attributes:
        bf16_trail: for every table the 16 bits of float32 that bfloat16 has not, int16; empty for other dtypes.
        weight_decay: factor of a row that is added to its gradient, when it has one.
        lr: learning rate.
    """

    bf16_trail: list[Tensor]
    weight_decay: float
    lr: float


class AdaGradArgs(NamedTuple):
    """Settings and state of `MergedEmbeddingBagWithAdaGrad`.

    Attributes:
        hessian: for every table the sums of squared gradients, float32 or wider.
        bf16_trail: as in `SGDArgs`.
        eps: added to the root of the sum.
        lr: learning rate.
    """

    hessian: list[Tensor]
    bf16_trail: list[Tensor]
    eps: float
    lr: float


class _LearningTables(MergedEmbeddingBag):
    """Tables that learn in backward; subclasses say how a row changes."""

    def forward(self, indices: Sequence[Tensor], offsets: Sequence[Tensor | None]) -> list[Tensor]:
        """Returns the bags of every table; their backward changes the tables.

        Args:
            indices: as for `MergedEmbeddingBag`.
            offsets: as for `MergedEmbeddingBag`.

        Raises:
            ValueError: E103, not as many as there are tables.
        """
        with torch.no_grad():
            found = super().forward(indices, offsets)
        return [
            _LearnInBackward.apply(bags, self.weights[table], self, table, indices[table], offsets[table])
            for table, bags in enumerate(found)
        ]

    def to_bfloat16_train(self) -> None:
        """Holds the tables in bfloat16 from now on, and learns in float32: the missing 16 bits are kept aside."""
        trails = []
        for table, weight in enumerate(self.weights):
            top, trail = split_float_bfloat16(weight.detach().float())
            self.weights[table] = nn.Parameter(top)
            trails.append(trail)
        self.dtype = torch.bfloat16
        self._set_trails(trails)

    def learn(self, table: int, rows: Tensor, gradient: Tensor) -> None:
        """Changes some rows of a table.

        Args:
            table: its number.
            rows: which, int64, [R], each once.
            gradient: of these rows, [R, embedding_dim].
        """
        weight = self.weights[table]
        trail = self._trails()[table].to(weight.device)
        value = weight.detach()[rows]
        if weight.dtype == torch.bfloat16:
            value = cat_bfloat16_float(value, trail[rows])
        value = self._stepped(table, rows, value, gradient.to(value.dtype))
        if weight.dtype == torch.bfloat16:
            value, trail[rows] = split_float_bfloat16(value)
            self._trails()[table] = trail
        with torch.no_grad():
            weight[rows] = value

    def _trails(self) -> list[Tensor]:
        raise NotImplementedError

    def _set_trails(self, trails: list[Tensor]) -> None:
        raise NotImplementedError

    def _stepped(self, table: int, rows: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        raise NotImplementedError


class _LearnInBackward(torch.autograd.Function):
    """The identity on bags. Takes the table along so that bags have a gradient when the table wants one."""

    @staticmethod
    def forward(
        ctx: Any,
        bags: Tensor,
        weight: Tensor,
        tables: _LearningTables,
        table: int,
        indices: Tensor,
        offsets: Tensor | None,
    ) -> Tensor:
        ctx.place = tables, table, indices, offsets
        return bags.view_as(bags)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[None, ...]:
        tables, table, indices, offsets = ctx.place
        bag, sizes = _bags_of(indices, offsets, grad_output.size(0))
        share = grad_output.float() if grad_output.dtype == torch.bfloat16 else grad_output
        if tables.pooling_mode is PoolingMode.MEAN:
            share = share / sizes.clamp(min=1)[:, None]
        rows, which = indices.flatten().long().unique(return_inverse=True)
        gradient = share.new_zeros(len(rows), share.size(1)).index_add_(0, which, share[bag])
        tables.learn(table, rows, gradient)
        return (None,) * 6


def _bags_of(indices: Tensor, offsets: Tensor | None, bags: int) -> tuple[Tensor, Tensor]:
    """Returns the number of the bag of every index, and the size of every bag."""
    if offsets is None:
        sizes = torch.full((bags,), indices.size(1), device=indices.device)
    else:
        ends = torch.cat([offsets[1:bags], offsets.new_tensor([len(indices)])])
        sizes = (ends - offsets[:bags])[:bags]
    return torch.arange(bags, device=indices.device).repeat_interleave(sizes), sizes


class MergedEmbeddingBagWithSGD(_LearningTables):
    """`MergedEmbeddingBag` that learns in backward: rows that were looked up become `row - lr * (grad + weight_decay * row)`.

    Tables get no `.grad`; leave them out of optimizers, or leave them in, which changes nothing. Without weight decay the
    result is that of `torch.optim.SGD`; with it, rows that were not looked up stay as they are.

    Args:
        embedding_specs: the tables.
        lr: learning rate, at least 0.
        weight_decay: at least 0.

    Attributes:
        sgd_args: an `SGDArgs`; to change the learning rate: `m.sgd_args = m.sgd_args._replace(lr=...)`.

    Raises:
        ValueError: E103, tables that do not fit together, or an argument out of range.

    Source: the archived extension's module of this name.

    Example:
        >>> tables = [torch.nn.EmbeddingBag(10, 4, mode="sum") for _ in range(2)]
        >>> merged = ipex.nn.modules.MergedEmbeddingBagWithSGD.from_embeddingbag_list(tables, lr=0.1)
        >>> indices, offsets = torch.tensor([1, 5, 9]), torch.tensor([0, 2])
        >>> sum(merged([indices, indices], [offsets, offsets])).sum().backward()
    """

    def __init__(self, embedding_specs: Sequence[EmbeddingSpec], lr: float = 0.01, weight_decay: float = 0) -> None:
        super().__init__(embedding_specs)
        self.sgd_args = self.init_sgd_args(lr, weight_decay, _empty_trails(self.weights))

    @classmethod
    def from_embeddingbag_list(
        cls, tables: Iterable[nn.EmbeddingBag], lr: float = 0.01, weight_decay: float = 0
    ) -> Self:
        """Returns a module over the memory of existing tables.

        Args:
            tables: of type `torch.nn.EmbeddingBag`.
            lr: learning rate.
            weight_decay: as above.

        Raises:
            TypeError: E101, another type.
            ValueError: E103, tables that do not fit together, or an argument out of range.
        """
        return cls(specs_of(tables), lr, weight_decay)

    def init_sgd_args(self, lr: float, weight_decay: float, bf16_trail: list[Tensor] | None = None) -> SGDArgs:
        """Returns checked settings.

        Args:
            lr: learning rate.
            weight_decay: as above.
            bf16_trail: state; none by default.

        Raises:
            ValueError: E103, an argument out of range.
        """
        _check_settings("MergedEmbeddingBagWithSGD", lr=lr, weight_decay=weight_decay)
        return SGDArgs(bf16_trail or [], weight_decay, lr)

    def _trails(self) -> list[Tensor]:
        return self.sgd_args.bf16_trail

    def _set_trails(self, trails: list[Tensor]) -> None:
        self.sgd_args = self.sgd_args._replace(bf16_trail=trails)

    def _stepped(self, table: int, rows: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        return value - self.sgd_args.lr * (gradient + self.sgd_args.weight_decay * value)


class MergedEmbeddingBagWithAdaGrad(_LearningTables):
    """`MergedEmbeddingBag` that learns in backward as `torch.optim.Adagrad` does.

    The sums of squared gradients are in `adagrad_args`, not in `state_dict()`.

    Args:
        embedding_specs: the tables.
        lr: learning rate, at least 0.
        eps: added to the root of the sum of squares, at least 0.

    Attributes:
        adagrad_args: an `AdaGradArgs`.

    Raises:
        ValueError: E103, tables that do not fit together, or an argument out of range.

    Source: the archived extension's module of this name.

    Example:
        >>> tables = [torch.nn.EmbeddingBag(10, 4, mode="mean") for _ in range(2)]
        >>> merged = ipex.nn.modules.MergedEmbeddingBagWithAdaGrad.from_embeddingbag_list(tables, lr=0.1)
        >>> indices, offsets = torch.tensor([1, 5, 9]), torch.tensor([0, 2])
        >>> sum(merged([indices, indices], [offsets, offsets])).sum().backward()
    """

    def __init__(self, embedding_specs: Sequence[EmbeddingSpec], lr: float = 0.01, eps: float = 1e-10) -> None:
        super().__init__(embedding_specs)
        self.adagrad_args = self.init_adagrad_args(lr, eps, _empty_trails(self.weights), _empty_sums(self.weights))

    @classmethod
    def from_embeddingbag_list(cls, tables: Iterable[nn.EmbeddingBag], lr: float = 0.01, eps: float = 1e-10) -> Self:
        """Returns a module over the memory of existing tables.

        Args:
            tables: of type `torch.nn.EmbeddingBag`.
            lr: learning rate.
            eps: as above.

        Raises:
            TypeError: E101, another type.
            ValueError: E103, tables that do not fit together, or an argument out of range.
        """
        return cls(specs_of(tables), lr, eps)

    def init_adagrad_args(
        self, lr: float, eps: float, bf16_trail: list[Tensor] | None = None, hessian: list[Tensor] | None = None
    ) -> AdaGradArgs:
        """Returns checked settings.

        Args:
            lr: learning rate.
            eps: as above.
            bf16_trail: state; none by default.
            hessian: state; none by default.

        Raises:
            ValueError: E103, an argument out of range.
        """
        _check_settings("MergedEmbeddingBagWithAdaGrad", lr=lr, eps=eps)
        return AdaGradArgs(hessian or [], bf16_trail or [], eps, lr)

    def _trails(self) -> list[Tensor]:
        return self.adagrad_args.bf16_trail

    def _set_trails(self, trails: list[Tensor]) -> None:
        self.adagrad_args = self.adagrad_args._replace(bf16_trail=trails)

    def _stepped(self, table: int, rows: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        sums = self.adagrad_args.hessian[table] = self.adagrad_args.hessian[table].to(value.device)
        sums[rows] += gradient * gradient
        return value - self.adagrad_args.lr * gradient / (sums[rows].sqrt() + self.adagrad_args.eps)


def _check_settings(where: str, **settings: float) -> None:
    for name, value in settings.items():
        if not value >= 0:
            raise error("E103", where, f"got {name}={value!r}; accepted: 0 or more")


def _empty_trails(weights: Iterable[Tensor]) -> list[Tensor]:
    return [
        torch.zeros_like(each, dtype=torch.int16) if each.dtype == torch.bfloat16 else torch.empty(0, dtype=torch.int16)
        for each in weights
    ]


def _empty_sums(weights: Iterable[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(each, dtype=torch.promote_types(each.dtype, torch.float32)) for each in weights]
