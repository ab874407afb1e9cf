"""Several `torch.nn.EmbeddingBag` tables in one module: `MergedEmbeddingBag` and `MergedEmbeddingBagWithCat`."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from torch_ipex_device.core.errors import error


class PoolingMode(enum.IntEnum):
    """What becomes of the rows of a bag."""

    SUM = 0
    MEAN = 1


class EmbeddingSpec(NamedTuple):
    """One table.

    Attributes:
        num_embeddings: rows.
        embedding_dim: columns.
        pooling_mode: "sum" or "mean".
        dtype: of the table.
        weight: the table, which the module uses without a copy; None for a new one, drawn as `torch.nn.EmbeddingBag` does.
        sparse: whether its gradient is a sparse tensor.
        include_last_offset: whether offsets have one more entry, the number of indices.
    """

    num_embeddings: int
    embedding_dim: int
    pooling_mode: str
    dtype: torch.dtype
    weight: Tensor | None
    sparse: bool
    include_last_offset: bool


def specs_of(tables: Iterable[nn.EmbeddingBag]) -> list[EmbeddingSpec]:
    """Returns the description of tables; their weights are shared, not copied.

    Raises:
        TypeError: E101, something else than `torch.nn.EmbeddingBag`.
        ValueError: E103, a table with an option that merged tables do not have.
    """
    specs = []
    for number, table in enumerate(tables):
        if not isinstance(table, nn.EmbeddingBag):
            raise error("E101", "MergedEmbeddingBag", f"got {type(table).__name__}; accepted: torch.nn.EmbeddingBag")
        for option in ("max_norm", "padding_idx"):
            if getattr(table, option) is not None:
                raise error("E103", "MergedEmbeddingBag", f"table {number} has a {option}; accepted: none")
        if table.scale_grad_by_freq:
            raise error("E103", "MergedEmbeddingBag", f"table {number} has scale_grad_by_freq; accepted: without")
        rows, columns = table.weight.shape
        weight, last = table.weight.detach(), bool(table.include_last_offset)
        specs.append(EmbeddingSpec(rows, columns, table.mode, weight.dtype, weight, bool(table.sparse), last))
    return specs


class MergedEmbeddingBag(nn.Module):
    """Looks up bags in several tables of equal width, dtype and pooling.

    Args:
        embedding_specs: the tables.

    Attributes:
        weights: the tables, a `ParameterList`; `state_dict()` has `weights.0`, `weights.1` and so on.
        n_tables: number of tables.
        embedding_dim: their width.
        dtype: their dtype.
        pooling_mode: a `PoolingMode`.
        include_last_offset: whether offsets have one more entry, the number of indices.

    Raises:
        ValueError: E103, no table, or tables that differ in width, dtype, pooling or `include_last_offset`.

    Source: the archived extension's module of this name.

    Example:
        >>> tables = [torch.nn.EmbeddingBag(10, 4, mode="sum") for _ in range(2)]
        >>> merged = ipex.nn.modules.MergedEmbeddingBag.from_embeddingbag_list(tables)
        >>> indices, offsets = torch.tensor([1, 5, 9]), torch.tensor([0, 2])
        >>> [bags.shape for bags in merged([indices, indices], [offsets, offsets])]
        [torch.Size([2, 4]), torch.Size([2, 4])]
    """

    def __init__(self, embedding_specs: Sequence[EmbeddingSpec]) -> None:
        super().__init__()
        specs = [EmbeddingSpec(*spec) for spec in embedding_specs]
        if not specs:
            raise error("E103", type(self).__name__, "got no table; accepted: one or more")
        for name in ("embedding_dim", "dtype", "pooling_mode", "include_last_offset"):
            values = {getattr(spec, name) for spec in specs}
            if len(values) > 1:
                raise error("E103", type(self).__name__, f"got tables with {name} {values}; accepted: all the same")
        first = specs[0]
        if first.pooling_mode not in ("sum", "mean"):
            raise error("E103", type(self).__name__, f"got mode {first.pooling_mode!r}; accepted: sum, mean")
        self.n_tables = len(specs)
        self.embedding_dim = first.embedding_dim
        self.dtype = first.dtype
        self.pooling_mode = PoolingMode[first.pooling_mode.upper()]
        self.include_last_offset = first.include_last_offset
        self.sparse = [spec.sparse for spec in specs]
        self.weights = nn.ParameterList([nn.Parameter(_weight_of(spec)) for spec in specs])

    @classmethod
    def from_embeddingbag_list(cls, tables: Iterable[nn.EmbeddingBag]) -> Self:
        """Returns a module over the memory of existing tables; it changes what they hold when it learns.

        Args:
            tables: of type `torch.nn.EmbeddingBag`.

        Raises:
            TypeError: E101, another type.
            ValueError: E103, tables that differ, or have an option that merged tables do not have.
        """
        return cls(specs_of(tables))

    def forward(self, indices: Sequence[Tensor], offsets: Sequence[Tensor | None]) -> list[Tensor]:
        """Returns the bags of every table, [bags, embedding_dim] each.

        Args:
            indices: for every table integers, [number of indices], or [bags, size of a bag].
            offsets: for every table where each bag begins; None for 2-dimensional indices.

        Raises:
            ValueError: E103, not as many as there are tables.
        """
        self._check(indices, offsets)
        return [self._look_up(table, indices[table], offsets[table]) for table in range(self.n_tables)]

    def _look_up(self, table: int, indices: Tensor, offsets: Tensor | None) -> Tensor:
        return torch.nn.functional.embedding_bag(
            indices,
            self.weights[table],
            offsets,
            mode=self.pooling_mode.name.lower(),
            sparse=self.sparse[table],
            include_last_offset=self.include_last_offset and offsets is not None,
        )

    def _check(self, indices: Sequence[Tensor], offsets: Sequence[Tensor | None]) -> None:
        if len(indices) != self.n_tables or len(offsets) != self.n_tables:
            got = f"got {len(indices)} tensors of indices and {len(offsets)} of offsets"
            raise error("E103", type(self).__name__, f"{got}; accepted: {self.n_tables} each")

    def extra_repr(self) -> str:
        tables = (f"table{number}: {each.shape[0]}, {each.shape[1]}" for number, each in enumerate(self.weights))
        return "\n".join((f"number of tables={self.n_tables}, {self.pooling_mode.name.lower()}, {self.dtype}", *tables))


class MergedEmbeddingBagWithCat(MergedEmbeddingBag):
    """`MergedEmbeddingBag` whose result is one tensor: dense features first, then the bags of every table.

    Example:
        >>> tables = [torch.nn.EmbeddingBag(10, 4, mode="sum") for _ in range(2)]
        >>> merged = ipex.nn.modules.MergedEmbeddingBagWithCat.from_embeddingbag_list(tables)
        >>> indices, offsets = torch.tensor([1, 5, 9]), torch.tensor([0, 2])
        >>> merged([indices, indices], [offsets, offsets], torch.ones(2, 4)).shape
        torch.Size([2, 12])
    """

    def forward(  # type: ignore[override] # the archived signature
        self, indices: Sequence[Tensor], offsets: Sequence[Tensor | None], dense_feature: Tensor
    ) -> Tensor:
        """Returns [bags, features + n_tables * embedding_dim].

        Args:
            indices: as for `MergedEmbeddingBag`.
            offsets: as for `MergedEmbeddingBag`.
            dense_feature: [bags, features].

        Raises:
            ValueError: E103, not as many as there are tables.
        """
        return torch.cat([dense_feature, *super().forward(indices, offsets)], 1)


def _weight_of(spec: EmbeddingSpec) -> Tensor:
    if spec.weight is not None:
        return spec.weight
    return nn.init.normal_(torch.empty(spec.num_embeddings, spec.embedding_dim, dtype=spec.dtype))
