"""Threads that share a conf, and a model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import torch

import torch_ipex_device as ipex

from .models import Residual, Twice, calibrate, calibrated, float32, image, infer, made, same_bits, scales

BATCHES = [image(seed) for seed in range(3)]


def in_threads(works: list[Callable[[], None]]) -> None:
    """Runs them all at once, and raises what one of them raised."""
    raised: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_threads_share_a_conf() -> None:
    model, conf = made(Residual), ipex.AmpConf(torch.int8)
    full = [float32(model, x) for x in BATCHES]

    def calibrates() -> None:
        for _ in range(3):
            assert same_bits(calibrate(conf, model, BATCHES), full)

    in_threads([calibrates] * 4)
    assert scales(conf) == scales(calibrated(model, BATCHES))
    low = [infer(conf, model, x) for x in BATCHES]

    def infers() -> None:
        for _ in range(4):
            assert same_bits([infer(conf, model, x) for x in BATCHES], low)

    in_threads([infers] * 4)


def test_threads_calibrate_infer_and_save_at_once(tmp_path: Path) -> None:
    model = made(Residual)
    full, conf = [float32(model, x) for x in BATCHES], calibrated(model, BATCHES)
    low = [infer(conf, model, x) for x in BATCHES]

    def calibrates() -> None:
        for _ in range(50):
            for got, expected in zip(calibrate(conf, model, BATCHES), full, strict=True):
                torch.testing.assert_close(got.cpu(), expected, rtol=1e-5, atol=1e-5)  # saving ends fusion

    def infers() -> None:
        for _ in range(50):
            for x, expected in zip(BATCHES, low, strict=True):
                torch.testing.assert_close(infer(conf, model, x), expected, rtol=1e-5, atol=1e-5)

    def saves() -> None:
        for _ in range(50):
            conf.save(tmp_path / "recipe.json")
            ipex.AmpConf(torch.int8, tmp_path / "recipe.json")

    in_threads([calibrates, calibrates, infers, infers, saves])


def test_threads_begin_inference_of_a_loaded_recipe_at_once(tmp_path: Path) -> None:
    model = made(Twice)
    conf = calibrated(model, BATCHES)
    conf.save(tmp_path / "recipe.json")
    low = [infer(conf, model, x) for x in BATCHES]
    for _ in range(3):
        loaded = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
        barrier = threading.Barrier(4)

        def infers(loaded: ipex.AmpConf = loaded, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            assert same_bits([infer(loaded, model, x) for x in BATCHES], low)

        in_threads([infers] * 4)
