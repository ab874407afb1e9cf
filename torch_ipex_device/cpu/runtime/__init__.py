"""`ipex.cpu.runtime`: parts of a program on cores of their own."""

from .cpupool import CPUPool, is_runtime_ext_enabled, pin
from .hints import MultiStreamModuleHint
from .multi_stream import MultiStreamModule, get_default_num_streams
from .task import FutureTensor, Task
from .topology import get_core_list_of_node_id

__all__ = [
    "CPUPool",
    "FutureTensor",
    "MultiStreamModule",
    "MultiStreamModuleHint",
    "Task",
    "get_core_list_of_node_id",
    "get_default_num_streams",
    "is_runtime_ext_enabled",
    "pin",
]
