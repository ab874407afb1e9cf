"""The pipe between the program that compares and its workers: JSON, one request or reply a line.

A request is {"command": name, ...arguments}; a reply is {"result": {...}} or {"error": "one line"}. Before the first
request a worker sends one reply unasked: that it is ready.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# Characters of an exception's text that are passed on; all of it is in the worker's log.
LONGEST_REASON = 300


class WorkerError(Exception):
    """A worker that could not do what it was asked to; the text says why in one line."""


class Channel:
    """One worker process, as seen by the program that started it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Starts the process; what it prints goes to the file `log`.

        Raises:
            WorkerError: there is no such program.
        """
        self._log, self._buffer = log, b""
        try:
            with log.open("wb") as errors:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment
                )
        except OSError as error:
            raise WorkerError(f"cannot start {command[0]}: {error.strerror}") from error

    @property
    def pid(self) -> int:
        """Returns the process id."""
        return self._process.pid

    def ask(self, command: str, timeout: float, **arguments: object) -> dict[str, Any]:
        """Sends a request and waits for its reply.

        Raises:
            WorkerError: the worker failed, ended, or did not answer for `timeout` seconds; in the last two cases it is gone.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        return self.receive(timeout)

    def receive(self, timeout: float) -> dict[str, Any]:
        """Waits for a reply; raises as `ask` does."""
        assert self._process.stdout is not None
        descriptor, deadline = self._process.stdout.fileno(), time.monotonic() + timeout
        while b"\n" not in self._buffer:
            if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self._process.kill()
                raise WorkerError(f"no answer for {timeout:g} s; ended")
            received = os.read(descriptor, 1 << 16)
            if not received:
                raise self._ended()
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise WorkerError(reply["error"])
        result: dict[str, Any] = reply["result"]
        return result

    def close(self) -> None:
        """Ends the process: by closing its input, and if it does not react, by force."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):  # it ended with a request unread
                stream.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self) -> WorkerError:
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return WorkerError(f"the worker ended with {how}" + (f": {lines[-1].strip()}" if lines else ""))


def serve(start: Callable[[], dict[str, Any]], handle: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """The worker's side: calls `start`, then `handle(command, arguments)` for each request until the input closes.

    What libraries print to standard output goes to standard error, so that it cannot get between replies.
    """
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)

    def reply(call: Callable[[], dict[str, Any]]) -> None:
        try:
            answer: dict[str, Any] = {"result": call()}
        except Exception as error:  # noqa: BLE001 (whatever a peer raises becomes a line of the report)
            traceback.print_exc(file=sys.stderr)
            text = " ".join(str(error).split())
            answer = {"error": f"{type(error).__name__}: {text[:LONGEST_REASON]}"}
        print(json.dumps(answer), file=replies, flush=True)

    reply(start)
    for line in requests:
        arguments = json.loads(line)
        command = arguments.pop("command")
        reply(lambda command=command, arguments=arguments: handle(command, arguments))  # type: ignore[misc]
