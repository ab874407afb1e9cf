"""What a process holds that sharing tensors could leak, read from /proc."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.multiprocessing import reductions

SHARED_FOLDER = Path("/dev/shm")


@dataclass(frozen=True)
class Holdings:
    """Counts of one process at one moment.

    Attributes:
        descriptors: open file descriptors.
        mappings: mapped regions of shared memory that PyTorch made.
        shared_kib: resident shared memory, in KiB.
        cached: entries of PyTorch's table of shared storages.
        resident_kib: resident memory, in KiB.
        device_bytes: memory of ipex tensors.
    """

    descriptors: int
    mappings: int
    shared_kib: int
    cached: int
    resident_kib: int
    device_bytes: int

    @classmethod
    def now(cls) -> Holdings:
        gc.collect()
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return cls(
            descriptors=len(os.listdir("/proc/self/fd")),
            mappings=Path("/proc/self/maps").read_text().count("/dev/shm/torch_"),
            shared_kib=int(status["RssShmem"].split()[0]),
            cached=len(reductions.shared_cache),
            resident_kib=int(status["VmRSS"].split()[0]),
            device_bytes=torch.ipex.memory_allocated(),
        )


def named_files() -> int:
    """How many files of shared memory PyTorch processes of this machine have that are not deleted yet."""
    return sum(1 for _ in SHARED_FOLDER.glob("torch_*"))


def shared_of_machine_kib() -> int:
    """The shared memory of the whole machine, in KiB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["Shmem"].split()[0])
