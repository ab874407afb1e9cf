"""The cache of compiled oneDNN primitives: what hits, what misses, how large it gets, and what a fault looks like."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading

import pytest
import torch

from primitives import forget_primitives
from torch_ipex_device import _C

from .calls import IPEX


@pytest.fixture
def cache():
    """An empty cache of the default capacity, before and after."""
    forget_primitives()
    yield
    forget_primitives()


class Counts:
    """Hits and misses since its creation."""

    def __init__(self) -> None:
        self._start = _C.primitive_cache_stats()

    def __call__(self) -> tuple[int, int]:
        now = _C.primitive_cache_stats()
        return now["hits"] - self._start["hits"], now["misses"] - self._start["misses"]


def product(*shape):
    """One matrix product by oneDNN: [..., K] by [K, 512]."""
    return torch.matmul(torch.ones(shape, device=IPEX), torch.ones(shape[-1], 512, device=IPEX))


def pairs(*shape):
    """A batch of such products."""
    return torch.bmm(torch.ones(2, *shape, device=IPEX), torch.ones(2, shape[-1], 8, device=IPEX))


def test_equal_calls_hit(cache):
    counts = Counts()
    for _ in range(5):
        pairs(3, 8)
    assert counts() == (4, 1)


def test_shapes_that_are_the_same_to_onednn_share_a_primitive(cache):
    counts = Counts()
    product(6, 64)
    product(2, 3, 64)
    assert counts() == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        lambda: pairs(3, 9),
        lambda: torch.nn.functional.conv1d(torch.ones(2, 3, 8, device=IPEX), torch.ones(8, 3, 3, device=IPEX)),
    ],
    ids=["shape", "operator"],
)
def test_different_calls_miss(cache, other):
    pairs(3, 8)
    counts = Counts()
    other()
    assert counts()[1] > 0


def test_factors_are_part_of_the_key(cache):
    a, b, c = torch.randn(2, 3, 8), torch.randn(2, 8, 8), torch.randn(2, 3, 8)
    for beta in (0.5, 2.0):
        actual = torch.baddbmm(c.to(IPEX), a.to(IPEX), b.to(IPEX), beta=beta).cpu()
        torch.testing.assert_close(actual, torch.baddbmm(c, a, b, beta=beta))


def test_thread_count_is_part_of_the_key(cache):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        pairs(3, 8)
        counts = Counts()
        torch.set_num_threads(1)
        pairs(3, 8)
        assert counts() == (0, 1)
    finally:
        torch.set_num_threads(before)


def test_size_is_bounded_and_the_least_recently_used_goes_first(cache):
    _C.set_primitive_cache_capacity(16)
    for channels in range(1, 101):
        pairs(2, channels)
    assert _C.primitive_cache_stats()["size"] <= _C.primitive_cache_stats()["capacity"] == 16
    counts = Counts()
    pairs(2, 100)
    assert counts() == (1, 0)
    pairs(2, 1)
    assert counts() == (1, 1)


def test_capacity_zero_turns_it_off(cache):
    _C.set_primitive_cache_capacity(0)
    counts = Counts()
    assert torch.equal(pairs(2, 4).cpu(), torch.full((2, 2, 8), 4.0))
    pairs(2, 4)
    assert counts() == (0, 2)
    assert _C.primitive_cache_stats()["size"] == 0


def test_negative_capacity_is_refused():
    with pytest.raises(ValueError, match="E103 got -1"):
        _C.set_primitive_cache_capacity(-1)


def test_threads_share_primitives_and_get_right_results(cache):
    """Two threads run the same primitives at once while a third keeps evicting them."""
    inputs = [torch.randn(2, channels, channels) for channels in (5, 40, 90)]
    expected = [torch.bmm(src, src) for src in inputs]
    moved = [src.to(IPEX) for src in inputs]
    failures: list[str] = []
    done = threading.Event()

    def compute() -> None:
        for _ in range(300):
            for src, wanted in zip(moved, expected, strict=True):
                got = torch.bmm(src, src).cpu()
                if not torch.allclose(got, wanted, rtol=1e-5, atol=1e-4):
                    failures.append(f"{tuple(wanted.shape)}: off by {(got - wanted).abs().max()}")

    def evict() -> None:
        while not done.is_set():
            _C.set_primitive_cache_capacity(0)
            _C.set_primitive_cache_capacity(1024)

    workers = [threading.Thread(target=compute) for _ in range(2)]
    evictor = threading.Thread(target=evict)
    for thread in (*workers, evictor):
        thread.start()
    for thread in workers:
        thread.join()
    done.set()
    evictor.join()
    assert failures == []


FAULTY_DNNL = """
int dnnl_primitive_execute(const void* primitive, void* stream, int count, const void* arguments) {
  return 1; /* dnnl_out_of_memory */
}
"""


def test_failure_of_onednn_is_error_e301(tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build a faulty libdnnl with")
    source, library = tmp_path / "faulty.c", tmp_path / "faulty.so"
    source.write_text(FAULTY_DNNL)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    program = (
        "import torch, torch_ipex_device\n"
        "try: torch.bmm(*torch.ones(2, 2, 4, 4, device='ipex'))\n"
        "except RuntimeError as error: print(error)\n"
        "print(torch.ones(2, device='ipex').sum().item())\n"
    )
    preloaded = [*filter(None, [os.environ.get("LD_PRELOAD")]), str(library)]
    environment = {**os.environ, "LD_PRELOAD": ":".join(preloaded)}
    run = subprocess.run(
        [sys.executable, "-P", "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    first, second = run.stdout.splitlines()
    assert first.startswith("[matmul] E301 oneDNN returned out_of_memory while running ")
    assert second == "2.0"


@pytest.mark.parametrize("isa", ["SSE41", "AVX2"])
def test_rows_hold_on_a_smaller_instruction_set(isa):
    """The same tests in a process whose oneDNN may not use more than `isa`."""
    tests = os.path.join(os.path.dirname(__file__), "test_rows.py")
    names = "(hostile or float64 or gradient)"
    if isa == "SSE41":  # recurrent layers do not come to this operator there, and CPU's serves LSTM only
        names += " and not mkldnn_rnn_layer"
    # -P: the installed package, not the source tree that the working directory may be.
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, "-k", names]
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:]
    assert "passed" in run.stdout
