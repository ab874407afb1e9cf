"""The table of `IPEX_*` environment variables, and the values that this process runs with.

One row a variable; docs/env_vars.md is generated from it. Variables are read and validated once, when the device is
activated; C++ never reads the environment itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import error


@dataclass(frozen=True)
class Variable:
    """One row of the table.

    Attributes:
        name: the environment variable.
        default: the value when it is not set; empty means unset.
        accepted: the accepted values; empty means any text.
        meaning: what it does, for the documentation.
    """

    name: str
    default: str
    accepted: tuple[str, ...]
    meaning: str


# fmt: off
VARIABLES: dict[str, Variable] = {
    row.name: row
    for row in (
        Variable("IPEX_DNNL_LIBRARY", "", (), "Path of the oneDNN run-time library (`libdnnl.so.3`) to load instead of the one that the wheel `onednn-cpu-gomp` installed."),
        Variable("IPEX_EAGER_FUSION", "1", ("0", "1"), "`0` computes every result when its operator is called, instead of letting element-wise operators join the primitive before them. At run time: `torch.ipex.set_eager_fusion`."),
        Variable("IPEX_FALLBACK", "silent", ("silent", "warn", "error"), "What happens when an operator runs on the CPU fallback: nothing, a warning once per operator, or error E105. At run time: `torch.ipex.set_fallback_policy`."),
        Variable("IPEX_FP32_MATH_MODE", "FP32", ("FP32", "BF32"), "`BF32` lets PyTorch's CPU kernels compute float32 convolutions, matrix products and recurrent layers in bfloat16. At run time: `ipex.set_fp32_math_mode`."),
        Variable("IPEX_LOG_LEVEL", "warning", ("debug", "info", "warning", "error"), "Level of the logger `torch_ipex_device`."),
        Variable("IPEX_NATIVE", "1", ("0", "1"), "`0` sends every operator to the CPU fallback, to tell a fault of a native kernel from one of the program."),
    )
}
# fmt: on


def read(name: str, environment: Mapping[str, str] | None = None) -> str:
    """Returns the validated value of a variable of the table.

    Args:
        name: a key of `VARIABLES`.
        environment: where to look it up; the process environment when None.

    Returns:
        The value, or the default when the variable is unset or empty.

    Raises:
        ValueError: E501, the value is not one of the accepted ones.
    """
    row = VARIABLES[name]
    value = (os.environ if environment is None else environment).get(name, "") or row.default
    if row.accepted and value not in row.accepted:
        raise error("E501", name, f"got {value!r}; accepted: {', '.join(row.accepted)}")
    return value
