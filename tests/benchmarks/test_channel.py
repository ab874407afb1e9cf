"""The pipe to a worker: replies arrive whatever libraries print, and every way to fail is one clear line."""

from __future__ import annotations

import os
import sys
from contextlib import closing

import pytest

PROGRAM = """
import os, sys, time
from comparison.channel import serve

def start():
    if sys.argv[1:] == ["fail"]:
        raise ImportError("no such peer")
    print("noise of a library")
    return {"versions": {}}

def handle(command, arguments):
    if command == "raise":
        raise ValueError("first line\\nsecond line")
    if command == "exit":
        print("\\n the last word \\n", file=sys.stderr, flush=True)
        os._exit(3)
    if command == "abort":
        os.abort()
    if command == "sleep":
        time.sleep(60)
    os.system("echo noise of a child")
    return {command: arguments}

serve(start, handle)
"""


@pytest.fixture
def channel(benchmarks):
    from comparison import channel

    return channel


@pytest.fixture
def worker(channel, benchmarks, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(benchmarks)}
    with closing(channel.Channel([sys.executable, "-c", PROGRAM], environment, tmp_path / "log")) as opened:
        opened.receive(30)
        yield opened


def test_reply_carries_what_was_sent(worker):
    assert worker.ask("echo", 30, a=1, b=[2.5, None]) == {"echo": {"a": 1, "b": [2.5, None]}}


def test_exception_is_one_line_and_the_worker_goes_on(channel, worker):
    with pytest.raises(channel.WorkerError, match=r"^ValueError: first line second line$"):
        worker.ask("raise", 30)
    assert worker.ask("echo", 30) == {"echo": {}}


def test_worker_that_exits_leaves_its_last_line(channel, worker):
    with pytest.raises(channel.WorkerError, match=r"^the worker ended with status 3: the last word$"):
        worker.ask("exit", 30)
    with pytest.raises(channel.WorkerError, match="status 3"):
        worker.ask("echo", 30)


def test_worker_that_crashes_names_the_signal(channel, worker):
    with pytest.raises(channel.WorkerError, match=r"^the worker ended with signal 6"):
        worker.ask("abort", 30)


def test_worker_that_does_not_answer_is_ended(channel, worker):
    with pytest.raises(channel.WorkerError, match=r"^no answer for 0\.1 s; ended$"):
        worker.ask("sleep", 0.1)
    with pytest.raises(channel.WorkerError, match="signal 9"):
        worker.ask("echo", 30)


def test_failure_to_start_is_the_first_reply(channel, benchmarks, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(benchmarks)}
    command = [sys.executable, "-c", PROGRAM, "fail"]
    with (
        closing(channel.Channel(command, environment, tmp_path / "log")) as opened,
        pytest.raises(channel.WorkerError, match=r"^ImportError: no such peer$"),
    ):
        opened.receive(30)


def test_missing_interpreter_is_one_clear_sentence(channel, tmp_path):
    with pytest.raises(channel.WorkerError, match=r"^cannot start .*/python: No such file or directory$"):
        channel.Channel([str(tmp_path / "python")], {}, tmp_path / "log")
