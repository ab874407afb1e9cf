"""Runs all alternatives of one workload, each in its own process, and lets their blocks of iterations take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from models import find
from peers import ALTERNATIVES, Alternative

from .agreement import compare
from .channel import Channel, WorkerError
from .results import Measurement
from .workload import Workload

WORKER = Path(__file__).resolve().parents[1] / "worker.py"


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        blocks: how many blocks of each alternative; none when only results are wanted.
        seconds: length of a block; at least one iteration is timed in each.
        timeout: seconds without an answer after which a worker is given up.
        folder: for weights, converted models, results and logs.
        environments: where the Python environments of the peers are.
        progress: told in words what happens next.
        between: called before the first block, between rounds of blocks and after the last.
        judge: called once per alternative with its name, its result and that of stock PyTorch in float64.
    """

    blocks: int
    seconds: float
    timeout: float
    folder: Path
    environments: Path
    progress: Callable[[str], None]
    between: Callable[[], None]
    judge: Callable[[str, torch.Tensor, torch.Tensor], None] = lambda name, result, reference: None


def measure(workload: Workload, alternatives: Sequence[Alternative], plan: Plan) -> dict[str, Measurement]:
    """Returns what each alternative did; one that fails carries its reason and does not disturb the others.

    Raises:
        WorkerError: stock PyTorch itself cannot run the model in float64, so that there is nothing to compare with.
    """
    reference = _reference(workload, plan)
    measurements = {alternative.name: Measurement() for alternative in alternatives}
    workers: dict[str, Channel] = {}
    try:
        for alternative in alternatives:
            plan.progress(f"preparing {alternative.name}")
            _prepare(alternative, workload, plan, reference, measurements[alternative.name], workers)
        plan.between()
        for turn in range(plan.blocks):
            for name in _order(list(workers), turn):
                plan.progress(f"block {turn + 1} of {plan.blocks}: {name}")
                _block(workers, name, plan, measurements[name])
            plan.between()
        for name, worker in workers.items():
            plan.progress(f"memory of {name}")
            _finish(worker, plan, measurements[name])
    finally:
        for worker in workers.values():
            worker.close()
    return measurements


def _order(names: Sequence[str], turn: int) -> list[str]:
    """Begins each round with another alternative, so that none always follows the same one."""
    start = turn % len(names) if names else 0
    return [*names[start:], *names[:start]]


def _start(alternative: Alternative, workload: Workload, plan: Plan) -> Channel:
    command = [str(alternative.python(plan.environments)), str(WORKER), alternative.name]
    return Channel(command, alternative.environment(workload.threads), plan.folder / f"{alternative.name}.log")


def _once(alternative: Alternative, workload: Workload, plan: Plan, command: str, **arguments: str) -> None:
    """Asks a process of its own for one thing; what it needs for that is in no figure."""
    worker = _start(alternative, workload, plan)
    try:
        worker.receive(plan.timeout)
        worker.ask(command, plan.timeout, workload=asdict(workload), folder=str(plan.folder), **arguments)
    finally:
        worker.close()


def _reference(workload: Workload, plan: Plan) -> torch.Tensor:
    file = plan.folder / f"{workload.model}.{workload.batch}.{workload.mode}.reference.pt"
    if not file.exists():
        plan.progress("reference in float64")
        _once(ALTERNATIVES["eager"], workload, plan, "reference", file=str(file))
    reference: torch.Tensor = torch.load(file, mmap=True)
    return reference


def _prepare(
    alternative: Alternative,
    workload: Workload,
    plan: Plan,
    reference: torch.Tensor,
    measurement: Measurement,
    workers: dict[str, Channel],
) -> None:
    """Starts a worker and has the model loaded, or notes why not."""
    measurement.error = alternative.refusal(workload, find(workload.model).is_image_model, plan.environments)
    if measurement.error:
        return
    output = plan.folder / f"{alternative.name}.output.pt"
    worker: Channel | None = None
    try:
        if alternative.converts:
            _once(alternative, workload, plan, "convert")
        worker = _start(alternative, workload, plan)
        measurement.versions = worker.receive(plan.timeout)["versions"]
        arguments = {"workload": asdict(workload), "folder": str(plan.folder), "file": str(output)}
        measurement.busy += not worker.ask("prepare", plan.timeout, **arguments)["idle"]
        result = torch.load(output)
        measurement.agreement = compare(result, reference)
        plan.judge(alternative.name, result, reference)
    except (WorkerError, ValueError) as error:
        measurement.error = str(error)
        if worker is not None:
            worker.close()
    else:
        workers[alternative.name] = worker
    finally:
        output.unlink(missing_ok=True)


def _block(workers: dict[str, Channel], name: str, plan: Plan, measurement: Measurement) -> None:
    try:
        answer = workers[name].ask("block", plan.timeout + plan.seconds, seconds=plan.seconds)
    except WorkerError as error:
        measurement.error = str(error)
        workers.pop(name).close()
    else:
        measurement.samples += answer["samples"]
        measurement.busy += not answer["idle"]


def _finish(worker: Channel, plan: Plan, measurement: Measurement) -> None:
    try:
        answer = worker.ask("finish", plan.timeout)
    except WorkerError as error:
        measurement.error = str(error)
    else:
        measurement.peak_memory = answer["peak_memory"]
        measurement.facts = answer["facts"]
