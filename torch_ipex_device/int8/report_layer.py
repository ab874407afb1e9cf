"""The figures of one layer in a report."""

from __future__ import annotations

from dataclasses import dataclass

from .report_latency import Latency


@dataclass(frozen=True)
class Layer:
    """One entry of the recipe.

    Attributes:
        id: position in the recipe.
        name: kind of operator, "Convolution".
        module: dotted path of the `torch.nn.Module` that called, "" for the outermost, None if not known.
        op: name of the operator in PyTorch, or None.
        quantized: what the recipe says.
        reason: why it computes in float32 all the same, or why the recipe says so; "" if it computes in int8.
        sqnr_db: signal-to-quantisation-noise ratio of its result in the int8 program, against the float32 program, in dB:
            with the noise of everything before it. Infinite without any, None if it did not run.
        own_sqnr_db: that of the operator alone in int8, its inputs being those of the float32 program. Infinite when it
            adds no noise, as what joins a convolution does; None when it is not quantized or did not run.
        input_saturation: share of the values of each input, in the float32 program, that `inputs_scale` saturates.
        output_saturation: the same of the result, with `outputs_scale`; None if it did not run.
        float32: latency in the float32 program, None if it was not seen.
        bfloat16: the same in mixed precision with bfloat16.
        int8: the same in the int8 program.
    """

    id: int
    name: str
    module: str | None
    op: str | None
    quantized: bool
    reason: str
    sqnr_db: float | None
    own_sqnr_db: float | None
    input_saturation: tuple[float, ...]
    output_saturation: float | None
    float32: Latency | None
    bfloat16: Latency | None
    int8: Latency | None
