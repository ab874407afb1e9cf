"""The generator: the CPU's numbers for the CPU's seeds, states that can be saved, and reproducible programs."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

DRAWS: dict[str, Callable[[str, torch.Generator | None], Tensor]] = {
    "rand": lambda d, g: torch.rand(100, device=d, generator=g),
    "randn": lambda d, g: torch.randn(101, device=d, generator=g),
    "randint": lambda d, g: torch.randint(0, 1000, (50,), device=d, generator=g),
    "randperm": lambda d, g: torch.randperm(97, device=d, generator=g),
    "normal_": lambda d, g: torch.empty(33, device=d).normal_(1, 2, generator=g),
    "uniform_": lambda d, g: torch.empty(33, device=d).uniform_(-1, 1, generator=g),
    "exponential_": lambda d, g: torch.empty(33, device=d).exponential_(2, generator=g),
    "geometric_": lambda d, g: torch.empty(33, device=d).geometric_(0.3, generator=g),
    "bernoulli": lambda d, g: torch.bernoulli(torch.full((64,), 0.3, device=d), generator=g),
    "multinomial": lambda d, g: torch.multinomial(torch.arange(1.0, 9, device=d), 5, generator=g),
    "random_": lambda d, g: torch.empty(33, dtype=torch.int64, device=d).random_(generator=g),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_default_generator_gives_cpu_numbers(draw: Callable[..., Tensor]) -> None:
    torch.manual_seed(7)
    expected = draw("cpu", None), draw("cpu", None)
    torch.manual_seed(7)
    actual = draw("ipex", None), draw("ipex", None)
    assert all(torch.equal(a.cpu(), e) for a, e in zip(actual, expected, strict=True))


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_own_generator_gives_cpu_numbers(draw: Callable[..., Tensor]) -> None:
    expected = draw("cpu", torch.Generator().manual_seed(3))
    actual = draw("ipex", torch.Generator("ipex").manual_seed(3))
    assert actual.is_ipex
    assert torch.equal(actual.cpu(), expected)


def test_dropout_masks_are_those_of_cpu() -> None:
    x = torch.ones(1000)
    torch.manual_seed(11)
    expected = torch.nn.functional.dropout(x, 0.4)
    torch.manual_seed(11)
    assert torch.equal(torch.nn.functional.dropout(x.ipex(), 0.4).cpu(), expected)


def test_rand_like_and_in_place_use_the_ipex_generator() -> None:
    cpu_state = torch.get_rng_state()
    torch.rand_like(torch.ones(4, device="ipex")).bernoulli_(0.5)
    assert torch.equal(torch.get_rng_state(), cpu_state)


@pytest.mark.parametrize(
    "seed_it", [torch.manual_seed, lambda s: torch.ipex.manual_seed(s), lambda s: torch.ipex.manual_seed_all(s)]
)
def test_manual_seed_repeats(seed_it: Callable[[int], object]) -> None:
    seed_it(5)
    first = torch.rand(3, device="ipex")
    seed_it(5)
    assert torch.equal(torch.rand(3, device="ipex"), first)
    assert torch.ipex.initial_seed() == 5


def test_ipex_seed_leaves_the_cpu_generator_alone() -> None:
    state = torch.get_rng_state()
    torch.ipex.manual_seed(123)
    assert torch.equal(torch.get_rng_state(), state)


def test_seed_draws_a_new_seed() -> None:
    seed = torch.ipex.seed()
    assert torch.ipex.initial_seed() == seed
    torch.ipex.seed_all()
    assert torch.ipex.initial_seed() != seed


def test_state_is_saved_and_restored() -> None:
    state = torch.ipex.get_rng_state()
    assert state.device.type == "cpu"
    assert state.dtype == torch.uint8
    first = torch.rand(3, device="ipex")
    torch.ipex.set_rng_state(state, "ipex:0")
    assert torch.equal(torch.rand(3, device="ipex"), first)
    torch.ipex.set_rng_state_all([state])
    assert torch.equal(torch.rand(3, device="ipex"), first)
    assert len(torch.ipex.get_rng_state_all()) == 1


def test_corrupted_state_is_refused_and_the_old_one_stays() -> None:
    state = torch.ipex.get_rng_state()
    with pytest.raises(RuntimeError):
        torch.ipex.set_rng_state(state[:-9])
    assert torch.equal(torch.ipex.get_rng_state(), state)


@pytest.mark.parametrize("device_type", [None, "ipex"])
def test_fork_rng_restores_both_generators(device_type: str | None) -> None:
    cpu, ipex = torch.get_rng_state(), torch.ipex.get_rng_state()
    with torch.random.fork_rng(device_type=device_type):
        torch.rand(3)
        torch.rand(3, device="ipex")
        assert not torch.equal(torch.ipex.get_rng_state(), ipex)
    assert torch.equal(torch.get_rng_state(), cpu)
    assert torch.equal(torch.ipex.get_rng_state(), ipex)


def test_default_generators_hold_the_generator_in_use() -> None:
    (generator,) = torch.ipex.default_generators
    assert generator.device == torch.device("ipex:0")
    torch.ipex.manual_seed(99)
    assert generator.initial_seed() == 99


def test_generator_is_copied_with_its_state() -> None:
    generator = torch.Generator("ipex").manual_seed(4)
    torch.rand(5, device="ipex", generator=generator)
    clone, pickled = generator.clone_state(), pickle.loads(pickle.dumps(generator))
    expected = torch.rand(5, device="ipex", generator=generator)
    for copy in (clone, pickled):
        assert copy.device.type == "ipex"
        assert torch.equal(torch.rand(5, device="ipex", generator=copy), expected)


@pytest.mark.parametrize(("device", "generator_device"), [("ipex", "cpu"), ("cpu", "ipex")])
def test_generator_of_another_device_is_refused(device: str, generator_device: str) -> None:
    with pytest.raises(RuntimeError, match="E102"):
        torch.rand(3, device=device, generator=torch.Generator(generator_device))
