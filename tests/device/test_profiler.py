"""torch.profiler sees what runs below the operators: primitives, loops, layout changes, open values, fallbacks, memory."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function, schedule

import torch_ipex_device as ipex
from device.programs import run_program

CPU, DEVICE = ProfilerActivity.CPU, ProfilerActivity.PrivateUse1
KERNEL = re.compile(r"ipex::(?P<name>\w+)(\+(?P<post_ops>[\w+]+))? \[(?P<implementation>\S+)\]")
NO_KERNEL = ("open", "materialize", "fallback")


def observe(run: Callable[[], Any], *activities: ProfilerActivity, **options: Any) -> profile:
    """Returns a finished profile of `run`."""
    with profile(activities=activities or [CPU], **options) as finished:
        kept = run()  # what nobody can read is not computed
        torch.ipex.synchronize()
        del kept
    return finished


def kernels(finished: profile, name: str = r"\w+", on: DeviceType = DeviceType.CPU) -> list[FunctionEvent]:
    """Returns the events of kernels, in order of their starts."""
    found = [(event, KERNEL.fullmatch(event.name)) for event in finished.events() if event.device_type == on]
    return [
        event
        for event, match in found
        if match and match["name"] not in NO_KERNEL and re.fullmatch(name, match["name"])
    ]


def named(finished: profile, prefix: str) -> list[FunctionEvent]:
    return [event for event in finished.events() if event.name.startswith(prefix)]


def around(event: FunctionEvent) -> Iterator[str]:
    """Yields the names of what an event lies in, inside out."""
    while event.cpu_parent is not None:
        event = event.cpu_parent
        yield event.name


class Block(nn.Module):
    """A residual block of ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.conv2, self.bn2 = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + x)


@pytest.fixture(autouse=True)
def eager_fusion() -> Iterator[None]:
    before = torch.ipex.eager_fusion()
    torch.ipex.set_eager_fusion(True)
    yield
    torch.ipex.set_eager_fusion(before)


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    return Block().eval().to("ipex")


@pytest.fixture
def image() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(2, 16, 12, 12, device="ipex")


# What is seen


def test_each_convolution_is_one_event_with_post_ops_and_shapes(block, image):
    with torch.no_grad():
        block(image)  # packs
        finished = observe(lambda: block(image), record_shapes=True)
    first, second = kernels(finished, "convolution")
    assert first.name.startswith("ipex::convolution+mul+add+relu [")
    assert second.name.startswith("ipex::convolution+mul+add+add+relu [")
    for event in (first, second):
        assert event.kwinputs["implementation"] and event.kwinputs["post_ops"] in event.name
        assert event.input_shapes[:2] == [[2, 16, 12, 12], [16, 16, 3, 3]]
    assert second.input_shapes[2:] == [[1, 16, 1, 1], [1, 16, 1, 1], [2, 16, 12, 12]]
    assert [next(around(event)) for event in (first, second)] == [
        "ipex::open [convolution+batch_norm+relu]",
        "ipex::open [convolution+batch_norm+add+relu]",
    ]
    assert any(name.startswith("aten::") for name in around(first))


def test_profiling_changes_neither_fusion_nor_results(block, image):
    stock = Block().eval()
    stock.load_state_dict({name: value.cpu() for name, value in block.state_dict().items()})
    with torch.no_grad():
        expected = stock(image.cpu())
        before = torch.ipex.fusion_stats()
        results = []
        observe(lambda: results.append(block(image)), CPU, DEVICE, record_shapes=True, profile_memory=True)
        after = torch.ipex.fusion_stats()
    assert (after.opened - before.opened, after.fused - before.fused) == (2, 5)
    torch.testing.assert_close(results[0].cpu(), expected)


def test_linear_layers_name_their_implementation():
    torch.manual_seed(0)
    inner, outer, norm = nn.Linear(128, 512).to("ipex"), nn.Linear(512, 128).to("ipex"), nn.LayerNorm(128).to("ipex")
    x = torch.randn(2, 64, 128, device="ipex")

    def run() -> torch.Tensor:
        return norm(outer(F.gelu(inner(x))) + x)

    with torch.no_grad():
        run()
        finished = observe(run, record_shapes=True)
    first, second = kernels(finished, "matmul|inner_product")
    assert "gelu" in first.kwinputs["post_ops"] and "add" in second.kwinputs["post_ops"]
    assert all(event.kwinputs["implementation"] in event.name for event in (first, second))
    assert first.input_shapes[:2] == [[128, 128], [512, 128]] and second.input_shapes[:2] == [[128, 512], [128, 512]]
    for event, step in ((first, "gelu"), (second, "add")):
        assert next(around(event)).startswith("ipex::open [") and step in next(around(event))
    assert not kernels(finished, "reorder")
    (loop,) = kernels(finished, "layer_norm")
    assert loop.name == "ipex::layer_norm [ipex:loop]" and "aten::native_layer_norm" in around(loop)


def test_reading_a_physical_form_is_one_reorder_and_none_after(block, image):
    with torch.no_grad():
        y = block.conv1(image)
        torch.ipex.synchronize()
        first = observe(lambda: y.view(-1).data_ptr(), record_shapes=True)
        second = observe(lambda: y.view(-1).data_ptr(), record_shapes=True)
    (reorder,) = kernels(first, "reorder")
    assert next(around(reorder)) == "ipex::materialize [layout]"
    assert reorder.input_shapes == [[2, 16, 12, 12]]
    assert not kernels(second) and not named(second, "ipex::")


def test_loop_of_ours_lies_in_its_operator():
    x = torch.randn(4, 8, device="ipex")
    (event,) = kernels(observe(lambda: torch.softmax(x, 1)))
    assert event.name == "ipex::softmax [ipex:loop]"
    assert next(around(event)) == "aten::_softmax"


def test_fallback_is_a_range():
    x = torch.randn(4, 8, device="ipex")
    finished = observe(lambda: x.cumsum(1))
    (event,) = named(finished, "ipex::fallback")
    assert event.name == "ipex::fallback [aten::cumsum]" and next(around(event)) == "aten::cumsum"


def test_steps_that_did_not_become_post_ops_are_a_pass(block, image):
    def run() -> tuple[torch.Tensor, torch.Tensor]:
        y = block.conv1(image)
        return y, F.relu(y)

    with torch.no_grad():
        run()
        finished = observe(run)
    assert [KERNEL.fullmatch(event.name)["name"] for event in kernels(finished, "convolution|pass")] == [
        "convolution",
        "pass",
    ]
    (step,) = kernels(finished, "pass")
    assert step.name == "ipex::pass+relu [ipex:loop]" and next(around(step)) == "ipex::open [relu]"


def test_backward_primitives_are_seen(block, image):
    block.train()
    loss = block(image).sum()
    finished = observe(loss.backward, record_shapes=True)
    backward = kernels(finished, "convolution")
    assert len(backward) >= 3  # source and weights of the second, weights of the first
    assert all("aten::convolution_backward" in around(event) for event in backward)
    assert all([2, 16, 12, 12] in event.input_shapes for event in backward)


def test_bfloat16_operands_have_their_type(block, image):
    with torch.no_grad(), ipex.AutoMixPrecision(ipex.AmpConf(torch.bfloat16)):
        block(image)
        finished = observe(lambda: block(image), record_shapes=True)
    first, _ = kernels(finished, "convolution")
    assert first.input_dtypes[0] in ("c10::BFloat16", "float")  # float32 where the processor has no bfloat16


def test_int8_operands_have_their_type(block, image):
    conf = ipex.AmpConf(torch.int8)
    with torch.no_grad():
        for mode in ("calibration", "inference"):
            with ipex.AutoMixPrecision(conf, running_mode=mode):
                block(image)
        with ipex.AutoMixPrecision(conf, running_mode="inference"):
            finished = observe(lambda: block(image), record_shapes=True)
    convolutions = kernels(finished, "convolution")
    assert len(convolutions) == 2
    assert all(event.input_dtypes[0] in ("signed char", "unsigned char") for event in convolutions)


def test_custom_operators_on_cpu_tensors():
    torch.manual_seed(0)
    x, weight, bias = torch.randn(8, 64), torch.randn(32, 64), torch.randn(32)
    results = []
    finished = observe(lambda: results.append(torch.ops.torch_ipex.linear(x, weight, bias)), record_shapes=True)
    torch.testing.assert_close(results[0], F.linear(x, weight, bias), atol=1e-4, rtol=1e-5)
    (event,) = kernels(finished, "matmul|inner_product")
    assert any(name.startswith("torch_ipex::linear") for name in around(event))


def test_compiled_models_show_kernels(block, image):
    compiled = torch.compile(block, backend="ipex")
    with torch.no_grad():
        compiled(image)
        finished = observe(lambda: compiled(image))
    assert len(kernels(finished, "convolution")) == 2


# The device's own events


def test_device_events_are_the_kernels(block, image):
    with torch.no_grad():
        block(image)
        finished = observe(lambda: block(image), CPU, DEVICE, record_shapes=True)
    on_cpu, on_device = kernels(finished), kernels(finished, on=DeviceType.PrivateUse1)
    assert [event.name for event in on_cpu] == [event.name for event in on_device]
    for event, twin in zip(on_cpu, on_device, strict=True):
        assert 0 < twin.time_range.elapsed_us() <= event.time_range.elapsed_us() + 50
        assert event.self_device_time_total == pytest.approx(twin.time_range.elapsed_us())
    table = finished.key_averages().table(sort_by="self_device_time_total")
    assert "Self IPEX" in table and "IPEX total" in table


def test_device_time_of_an_operator_is_that_of_its_kernels():
    x = torch.randn(64, 64, device="ipex")
    finished = observe(lambda: torch.softmax(x, 1), CPU, DEVICE)
    (operator,) = [row for row in finished.key_averages() if row.key == "aten::softmax"]
    (kernel,) = kernels(finished, on=DeviceType.PrivateUse1)
    assert operator.device_time_total == pytest.approx(kernel.time_range.elapsed_us())
    assert operator.self_device_time_total == 0


def test_workers_of_a_loop_are_no_kernels():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        x = torch.randn(4, 16, 32, 32, device="ipex").to(memory_format=torch.channels_last)
        finished = observe(lambda: x.mean((2, 3)), DEVICE)
    finally:
        torch.set_num_threads(before)
    assert [event.name for event in finished.events()] == ["ipex::sum [ipex:loop]"]


def test_device_events_alone():
    x = torch.randn(64, 64, device="ipex")
    finished = observe(lambda: torch.softmax(x, 1), DEVICE)
    assert [event.name for event in finished.events()] == ["ipex::softmax [ipex:loop]"]


def test_cpu_activity_alone_has_no_device_events():
    x = torch.randn(64, 64, device="ipex")
    finished = observe(lambda: torch.softmax(x, 1), CPU)
    assert not [event for event in finished.events() if event.device_type == DeviceType.PrivateUse1]


def test_device_events_of_all_threads():
    x = torch.randn(64, 64, device="ipex")

    def run() -> None:
        thread = threading.Thread(target=lambda: torch.softmax(x, 1))
        thread.start()
        torch.softmax(x, 1)
        thread.join()

    finished = observe(run, CPU, DEVICE)
    assert len(kernels(finished)) == 1  # PyTorch observes the operators of the thread that profiles
    on_device = kernels(finished, on=DeviceType.PrivateUse1)
    assert len(on_device) == 2 and len({event.device_resource_id for event in on_device}) == 2


def test_all_threads_are_observed_when_asked():
    x = torch.randn(64, 64, device="ipex")
    options = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)

    def run() -> None:
        threads = [threading.Thread(target=lambda: torch.softmax(x, 1)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    finished = observe(run, experimental_config=options)
    assert len(kernels(finished, "softmax")) == 2


# Ways to profile


def test_chrome_trace_is_json_with_shapes_and_implementations(block, image, tmp_path: Path):
    with torch.no_grad():
        block(image)
        finished = observe(lambda: block(image), CPU, DEVICE, record_shapes=True, with_stack=True, profile_memory=True)
    path = tmp_path / "trace.json"
    finished.export_chrome_trace(str(path))
    events = [event for event in json.loads(path.read_text())["traceEvents"] if "convolution+" in event.get("name", "")]
    for category in ("cpu_op", "kernel"):
        found = [event for event in events if event.get("cat") == category and "ipex::convolution" in event["name"]]
        assert len(found) == 2
        for event in found:
            assert event["args"]["Input Dims"][0] == [2, 16, 12, 12]
            assert event["args"]["implementation"] in event["name"]


def test_schedule_gives_each_cycle_its_own_events(tmp_path: Path):
    x = torch.randn(8, 8, device="ipex")
    counts: list[tuple[int, int]] = []

    def ready(finished: profile) -> None:
        counts.append((len(kernels(finished)), len(kernels(finished, on=DeviceType.PrivateUse1))))

    plan = schedule(wait=1, warmup=1, active=2, repeat=2)
    with profile(activities=[CPU, DEVICE], schedule=plan, on_trace_ready=ready) as running:
        for _ in range(8):
            torch.softmax(x, 1)
            running.step()
    assert counts == [(2, 2), (2, 2)]


@pytest.mark.parametrize("option", ["with_stack", "with_modules", "with_flops", "acc_events"])
def test_options(option: str, block, image):
    with torch.no_grad():
        block(image)
        finished = observe(lambda: block(image), record_shapes=True, **{option: True})
    assert len(kernels(finished, "convolution")) == 2


def test_values_left_open_before_the_profile_appear_where_they_are_read(block, image):
    with torch.no_grad():
        y = F.relu(block.conv1(image))
        finished = observe(lambda: y.cpu())
    (event,) = kernels(finished, "convolution")
    assert "aten::copy_" in around(event) or "aten::_to_copy" in around(event)


def test_values_left_open_at_the_end_do_not_appear_and_are_right(block, image):
    with torch.no_grad():
        with profile(activities=[CPU]) as finished:
            y = block.conv1(image)
        assert not kernels(finished, "convolution")
        expected = F.conv2d(image.cpu(), block.conv1.weight.cpu(), padding=1)
    torch.testing.assert_close(y.cpu(), expected)


def test_device_activity_computes_what_is_open_at_the_end(block, image):
    with torch.no_grad(), profile(activities=[CPU, DEVICE]) as finished:
        block.conv1(image).relu_()
    assert not kernels(finished, "convolution")  # nobody has the value any more
    with torch.no_grad(), profile(activities=[CPU, DEVICE]) as finished:
        kept = block.conv1(image)
    assert len(kernels(finished, "convolution")) == 1
    assert kept.shape == image.shape


def test_range_of_the_program_holds_what_it_left_open(block, image):
    with torch.no_grad():
        block.conv1(image)

        def run() -> torch.Tensor:
            with record_function("mine"):
                return block.conv1(image)

        finished = observe(run)
    (event,) = kernels(finished, "convolution")
    assert "mine" in around(event)


def test_memory_of_the_device_is_reported():
    nbytes = 1 << 20

    def run() -> None:
        kept = torch.empty(nbytes, dtype=torch.uint8, device="ipex")
        del kept

    finished = observe(run, profile_memory=True)
    (operator,) = [event for event in finished.events() if event.name == "aten::empty"]
    assert operator.self_device_memory_usage >= nbytes
    released = [event for event in finished.events() if event.name == "[memory]" and event.device_memory_usage < 0]
    assert sum(event.device_memory_usage for event in released) == -operator.self_device_memory_usage


def test_an_error_inside_ends_its_events():
    x = torch.randn(4, 8, device="ipex")

    def run() -> None:
        with pytest.raises(IndexError):
            torch.cumsum(x, 7)
        torch.softmax(x, 1)

    finished = observe(run)
    (event,) = kernels(finished, "softmax")
    assert list(around(event)) == ["aten::_softmax", "aten::softmax"]


def test_library_that_is_loaded_inside_of_a_profile():
    out = run_program("""
        import torch
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CPU]) as finished:
            torch.softmax(torch.ones(2, 3).to("ipex"), 1)
        print([event.name for event in finished.events() if event.name.startswith("ipex::softmax")])
    """)
    assert out.splitlines()[-1] == "['ipex::softmax [ipex:loop]']"
