"""Streams and events: one stream, in program order; events measure time."""

from __future__ import annotations

import time

import pytest
import torch


def test_all_streams_are_the_same_stream() -> None:
    assert torch.ipex.Stream() == torch.ipex.current_stream() == torch.ipex.default_stream()
    assert torch.ipex.Stream("ipex:0", priority=-1) == torch.accelerator.current_stream()


def test_instance_checks_know_the_device() -> None:
    assert isinstance(torch.accelerator.current_stream(), torch.ipex.Stream)
    assert isinstance(torch.ipex.Event(), torch.ipex.Event)
    assert isinstance(torch.ipex.Event(), torch.Event)
    assert not isinstance(torch.ipex.Event(), torch.ipex.Stream)
    assert not isinstance(None, torch.ipex.Stream)


def test_stream_methods_return_at_once() -> None:
    stream, event = torch.ipex.Stream(), torch.ipex.Event()
    event.record(stream)
    stream.wait_event(event)
    stream.wait_stream(torch.ipex.default_stream())
    stream.synchronize()
    assert stream.query()
    assert stream.record_event().query()


def test_stream_contexts() -> None:
    stream = torch.ipex.Stream()
    with torch.ipex.stream(stream), torch.ipex.StreamContext(stream), stream:
        assert torch.ipex.current_stream() == stream
    with torch.ipex.stream(None):
        assert torch.ipex.current_stream() == stream
    torch.ipex.set_stream(stream)
    torch.accelerator.set_stream(stream)


@pytest.mark.parametrize(("stream", "exception", "code"), [("ipex", TypeError, "E101"), (3, TypeError, "E101")])
def test_set_stream_refuses_what_is_no_stream(stream: object, exception: type[Exception], code: str) -> None:
    with pytest.raises(exception, match=code):
        torch.ipex.set_stream(stream)


def test_elapsed_time_is_in_milliseconds() -> None:
    start, end = torch.ipex.Event(enable_timing=True), torch.ipex.Event(enable_timing=True)
    start.record()
    time.sleep(0.02)
    end.record()
    end.synchronize()
    assert 20 <= start.elapsed_time(end) < 2000


def test_elapsed_time_needs_both_records() -> None:
    start, end = torch.ipex.Event(enable_timing=True), torch.ipex.Event(enable_timing=True)
    start.record()
    with pytest.raises(ValueError, match="recorded"):
        start.elapsed_time(end)


def test_interprocess_event_is_refused() -> None:
    with pytest.raises(ValueError, match="E103"):
        torch.ipex.Event(interprocess=True)


def test_record_stream_is_accepted() -> None:
    x = torch.ones(2, device="ipex")
    x.record_stream(torch.ipex.current_stream())
    assert x.sum().item() == 2


def test_synchronize() -> None:
    torch.ipex.synchronize()
    torch.ipex.synchronize("ipex:0")
    torch.accelerator.synchronize(0)
