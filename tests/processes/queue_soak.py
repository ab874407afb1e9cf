"""Sends many ipex tensors of all sorts through a queue to another process, checks them there, and counts what is left over.

    python tests/processes/queue_soak.py 1000000

Half of the tensors are messages of their own, the other half travel in lists. The exit status is 1 when a value is wrong
or when descriptors, mappings or shared memory stay behind.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as mp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from holdings import Holdings, named_files, shared_of_machine_kib
from sorts import check, checksum, make, make_list

from sanitizers import HAS_ADDRESS_SANITIZER

RUN_LENGTH = 25  # so many messages with one tensor, then one list of so many
WAITING_MESSAGES = 32  # in the queue at most; the tensors in it hold descriptors
LOOKS = 10
PATIENCE_SECONDS = 1800
GROWTH_KIB = 64 << 10  # of resident memory that is no leak: pools and Python's heap after the first look
if HAS_ADDRESS_SANITIZER:
    GROWTH_KIB += 256 << 10  # freed memory that AddressSanitizer keeps back


def plan(count: int) -> Iterator[tuple[int, int]]:
    """First number and length of every message; length 0 stands for a tensor that is no list."""
    index = 0
    while index < count:
        for _ in range(min(RUN_LENGTH, count - index)):
            yield index, 0
            index += 1
        if index < count:
            length = min(RUN_LENGTH, count - index)
            yield index, length
            index += length


def looks(count: int) -> set[int]:
    """The messages after which both processes count what they hold."""
    messages = sum(1 for _ in plan(count))
    return {messages * part // LOOKS - 1 for part in range(1, LOOKS)}


def receive(inbox: Any, outbox: Any, count: int, strategy: str) -> None:
    """The other process: checks every message, then answers with the checksum and with what it held."""
    torch.set_num_threads(1)
    mp.set_sharing_strategy(strategy)
    torch.ones(1, device="ipex")
    total, held, when = 0.0, [Holdings.now()], looks(count)
    for number, (first, length) in enumerate(plan(count)):
        total += check_message(inbox.get(timeout=PATIENCE_SECONDS), first, length)
        if number in when:
            held.append(Holdings.now())
    held.append(Holdings.now())
    outbox.put((total, held))


def check_message(message: Any, first: int, length: int) -> float:
    if not length:
        return check(message, make(first, "cpu"), first)
    expected = make_list(first, length, "cpu")
    for (a, b), (x, y) in zip(pairwise(message), pairwise(expected), strict=True):
        if same_storage(a, b) != same_storage(x, y):
            raise RuntimeError(f"list {first}: tensors that shared a storage do no more, or the reverse")
    return sum(check(*pair, first + number) for number, pair in enumerate(zip(message, expected, strict=True)))


def same_storage(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.untyped_storage()._cdata == b.untyped_storage()._cdata


def run(count: int, method: str, strategy: str) -> bool:
    """Sends `count` tensors, prints the figures and returns whether all is right and nothing is left over."""
    torch.set_num_threads(1)
    torch.ones(1, device="ipex")
    mp.set_sharing_strategy(strategy)
    context = mp.get_context(method)
    inbox, outbox = context.Queue(WAITING_MESSAGES), context.Queue()
    process = context.Process(target=receive, args=(inbox, outbox, count, strategy))
    process.start()
    files, machine, started = named_files(), shared_of_machine_kib(), time.monotonic()
    total, messages, held, when = 0.0, 0, [Holdings.now()], looks(count)
    for messages, (first, length) in enumerate(plan(count), 1):
        inbox.put(make_list(first, length, "ipex") if length else make(first, "ipex"))
        for tensor in make_list(first, length, "cpu") if length else [make(first, "cpu")]:
            total += checksum(tensor)
        if messages - 1 in when:
            held.append(Holdings.now())
    received, theirs = outbox.get(timeout=PATIENCE_SECONDS)
    seconds = time.monotonic() - started
    process.join(PATIENCE_SECONDS)
    held.append(Holdings.now())
    print(
        f"{count} tensors in {messages} messages by {method} and {strategy}, {seconds:.0f} s, {seconds / count * 1e6:.0f} us a tensor"
    )
    print(f"checksum sent {total:.0f}, received {received:.0f}; exit status of the receiver {process.exitcode}")
    print(f"files of shared memory: {files} before, {named_files()} after; machine's shared memory:", end=" ")
    print(f"{machine} KiB before, {shared_of_machine_kib()} KiB after")
    clean = [report(name, samples) for name, samples in (("sender", held), ("receiver", theirs))]
    return all(clean) and total == received and process.exitcode == 0 and named_files() <= files


def report(name: str, held: list[Holdings]) -> bool:
    """Prints what a process held, and returns whether it ended with what it began with."""
    print(f"{name:9} descriptors mappings shared_KiB cached resident_KiB device_bytes")
    for part, sample in enumerate(held):
        print(
            f"{100 * part // (len(held) - 1):7} % {sample.descriptors:11} {sample.mappings:8} {sample.shared_kib:10}"
            f" {sample.cached:6} {sample.resident_kib:12} {sample.device_bytes:12}"
        )
    first, last = held[0], held[-1]
    return (
        last.descriptors <= first.descriptors + 4  # pipes and sockets of the queue, made by its first use
        and last.mappings == 0
        and last.cached <= 256
        and last.device_bytes <= first.device_bytes
        and last.resident_kib <= held[1].resident_kib + GROWTH_KIB
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, help="number of tensors")
    parser.add_argument("--method", choices=["spawn", "fork", "forkserver"], default="spawn", help="of starting")
    parser.add_argument(
        "--strategy", choices=["file_descriptor", "file_system"], default="file_descriptor", help="of sharing"
    )
    options = parser.parse_args()
    sys.exit(0 if run(options.count, options.method, options.strategy) else 1)


if __name__ == "__main__":
    main()
