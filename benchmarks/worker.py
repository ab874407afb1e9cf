"""The process that runs one alternative, in that alternative's Python; compare.py starts it and sends it requests.

Usage: python benchmarks/worker.py NAME
NAME is an alternative of peers/. Requests are described by the functions that answer them, the wire by
comparison/channel.py.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from comparison import memory, weights
from comparison.channel import serve
from comparison.workload import Workload
from peers import ALTERNATIVES
from peers.program import Program, inference, training

WARM_UP = 3
# A worker that has waited counts as idle when it used less than a tenth of this time, in seconds, on all its threads.
IDLE_WINDOW = 0.02
IDLE_LIMIT = 2.0


class Worker:
    """Answers requests for one alternative and one workload."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._peer: Any = None
        self._program: Program | None = None
        self._baseline = self._peak = 0

    def start(self) -> dict[str, Any]:
        """Imports the peer: what libraries need by themselves is not part of a model's memory."""
        self._peer = importlib.import_module(ALTERNATIVES[self._name].module)
        with torch.device("meta"):  # imports 75 MB of Python code, which weights.load would otherwise do
            torch.nn.init.normal_(torch.nn.Linear(1, 1).weight)
        return {"versions": {name: importlib.metadata.version(name) for name in self._peer.DISTRIBUTIONS}}

    def handle(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answers one request."""
        answers: dict[str, Callable[..., dict[str, Any]]] = {
            "reference": self.reference,
            "convert": self.convert,
            "prepare": self.prepare,
            "block": self.block,
            "finish": self.finish,
        }
        if "workload" in arguments:
            workload = Workload(**arguments.pop("workload"))
            torch.set_num_threads(workload.threads)
            return answers[command](workload, Path(arguments.pop("folder")), **arguments)
        return answers[command](**arguments)

    def reference(self, workload: Workload, folder: Path, file: str) -> dict[str, Any]:
        """Writes the model's weights and data, and to `file` what stock PyTorch computes with them in float64."""
        model = weights.save(workload, folder).double()
        input = weights.example(workload, folder, torch.float64)
        if workload.mode == "training":
            program = training(replace(workload, dtype="float32"), model, input)
        else:
            program = inference(model, input)
        torch.save(program.output(), file)
        return {}

    def convert(self, workload: Workload, folder: Path) -> dict[str, Any]:
        """Writes the model in the peer's own format."""
        self._peer.convert(workload, folder)
        return {}

    def prepare(self, workload: Workload, folder: Path, file: str) -> dict[str, Any]:
        """Loads the model, writes what it computes to `file`, and warms up."""
        memory.reset_peak()
        self._baseline = memory.resident()
        self._program = self._peer.prepare(workload, folder)
        if workload.mode == "inference":
            self._program.run()
        self._peak = memory.peak()
        # The copy that is written is not what the peer needs: the peak begins again behind it.
        torch.save(self._program.output(), file)
        memory.reset_peak()
        for _ in range(WARM_UP):
            self._program.run()
        return {"idle": _wait_until_idle()}

    def block(self, seconds: float) -> dict[str, Any]:
        """Times iterations for some seconds, one at least; returns milliseconds of each."""
        assert self._program is not None
        run, samples = self._program.run, []
        run()  # not counted: others have used the caches, and the threads sleep
        end = time.perf_counter() + seconds
        while True:
            start = time.perf_counter()
            run()
            stop = time.perf_counter()
            samples.append((stop - start) * 1e3)
            if stop >= end:
                return {"samples": samples, "idle": _wait_until_idle()}

    def finish(self) -> dict[str, Any]:
        """Returns memory in bytes beyond that of the imported libraries, and what only this peer knows."""
        assert self._program is not None
        peak = max(self._peak, memory.peak()) - self._baseline
        return {"peak_memory": peak, "facts": self._program.facts()}


def _wait_until_idle() -> bool:
    """Waits until no thread of this process spins any more, so that the next worker has the cores; whether that came."""
    end = time.perf_counter() + IDLE_LIMIT
    while time.perf_counter() < end:
        used = time.process_time()
        time.sleep(IDLE_WINDOW)
        if time.process_time() - used < IDLE_WINDOW / 10:
            return True
    return False


if __name__ == "__main__":
    worker = Worker(sys.argv[1])
    serve(worker.start, worker.handle)
