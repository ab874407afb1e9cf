"""Threads that read, pack and materialise the same storages get right answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch

from .made import physical, plain


def test_threads_share_one_physical_tensor():
    expected = plain()
    for _ in range(30):
        x = physical()
        with ThreadPoolExecutor(4) as pool:
            work = [pool.submit(reader, x) for reader in (read_view, read_slice, read_slice, read_view)]
            results = [future.result() for future in work]
        assert torch.equal(results[0], expected.view(-1)) and torch.equal(results[3], expected.view(-1))
        assert torch.equal(results[1], expected[:, 2:4]) and torch.equal(results[2], expected[:, 2:4])


def read_view(x):
    return x.view(-1).cpu()


def read_slice(x):
    return x[:, 2:4].cpu()


def test_threads_share_weights_that_give_their_plain_bytes_back():
    torch.manual_seed(0)
    weight = torch.randn(512, 256)
    x = torch.randn(8, 256)
    expected = torch.nn.functional.linear(x, weight)
    for _ in range(20):
        shared = weight.to("ipex")
        moved = x.to("ipex")

        def infer(shared=shared, moved=moved):
            with torch.inference_mode():
                return torch.nn.functional.linear(moved, shared).cpu()

        def read(shared=shared):
            return shared.cumsum(0).cpu()

        with ThreadPoolExecutor(4) as pool:
            work = [pool.submit(task) for task in (infer, read, infer, read)]
            results = [future.result() for future in work]
        for result in (results[0], results[2]):
            torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)
        for result in (results[1], results[3]):
            assert torch.equal(result, weight.cumsum(0))
