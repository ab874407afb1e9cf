"""TorchInductor for ipex tensors: the C++ kernels that it generates for CPU, on memory that is CPU memory."""

from __future__ import annotations

import functools
import re
from typing import Any

import torch
from torch._inductor.codegen.common import register_backend_for_device, register_device_op_overrides
from torch._inductor.codegen.cpp import CppScheduling
from torch._inductor.codegen.cpu_device_op_overrides import CpuDeviceOpOverrides
from torch._inductor.codegen.wrapper import PythonWrapperCodegen, SubgraphPythonWrapperCodegen
from torch._inductor.virtualized import V

from . import device_interface, like_cpu

_READ = "_ipex_read"
_NAME = re.compile(r"[A-Za-z_]\w*")


class _Calls:
    """How generated programs call generated kernels."""

    def _generate_kernel_call_helper(
        self, kernel_name: str, call_args: list[str], *, device: Any = None, arg_types: Any = None, **options: Any
    ) -> None:
        """Writes a call. A kernel reads the inputs of the program as aliases: a pointer would drop packed weights."""
        inputs = {*V.graph.graph_inputs, *V.graph.constants}

        def is_only_read(argument: str, kind: Any) -> bool:
            return (
                str(kind).startswith("const ")
                and str(kind).endswith("*")
                and not inputs.isdisjoint(_NAME.findall(argument))
            )

        read = [
            f"{_READ}({argument})" if is_only_read(argument, kind) else argument
            for argument, kind in zip(call_args, arg_types or [""] * len(call_args), strict=True)
        ]
        super()._generate_kernel_call_helper(  # type: ignore[misc]
            kernel_name, read, device=torch.device("cpu"), arg_types=arg_types, **options
        )


class Wrapper(_Calls, PythonWrapperCodegen):
    """Writes the program that calls kernels and operators."""

    @staticmethod
    def create(
        is_subgraph: bool, subgraph_name: Any, parent_wrapper: Any, partition_signatures: Any = None
    ) -> PythonWrapperCodegen:
        """Returns the writer of a program or of a part of one; arguments are Inductor's."""
        if is_subgraph:
            return _SubgraphWrapper(subgraph_name, parent_wrapper, partition_signatures)
        return Wrapper()

    def write_header(self) -> None:
        """Writes the imports of the program."""
        super().write_header()
        self.imports.writeline(f"from torch_ipex_device._C import read_alias as {_READ}")


class _SubgraphWrapper(_Calls, SubgraphPythonWrapperCodegen):
    """Writes a function of such a program."""


class _Overrides(CpuDeviceOpOverrides):
    """What programs do about the device around kernels: nothing, as for CPU."""


@functools.cache
def register() -> None:
    """Makes the device known to Dynamo and to TorchInductor, once."""
    device_interface.register()
    like_cpu.register()
    register_device_op_overrides("ipex", _Overrides())
    register_backend_for_device("ipex", CppScheduling, Wrapper)
