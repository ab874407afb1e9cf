"""Programs under faults: they end in one clear error or a right result, and leave everything as it was."""

from __future__ import annotations

import gc
import random
from collections import Counter
from collections.abc import Iterator

import pytest
import torch

from torch_ipex_device.testing import faults

from .injecting import SITES, Case, Outcome
from .models import MODELS
from .operators import OPERATORS
from .program import Program

POSITIONS = 5  # per program and site, of hundreds in a training step; run.py tries more


@pytest.fixture(scope="module", autouse=True)
def cheap_collections() -> Iterator[None]:
    """Garbage is collected often here; what lives already need not be looked at each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("program", [*OPERATORS, *MODELS], ids=lambda program: program.name)
def test_program_survives_faults(program: Program) -> None:
    case, outcomes = Case(program), Counter[Outcome]()
    chosen = random.Random(program.name)
    for site in SITES:
        for warm in (False, True) if not program.writes else (False,):
            passes = case.passes(site, warm=warm)
            sample = range(1, passes + 1)
            if passes > POSITIONS or program.is_heavy:
                sample = chosen.sample(sample, min(passes, 1 if program.is_heavy else POSITIONS))
            for at in sample:
                outcomes[case.inject(site, at, times=chosen.choice((1, 1000)), warm=warm)] += 1
    assert program.is_random or outcomes[Outcome.NO_FAULT] <= 1 + outcomes.total() // 5


def test_site_is_counted_and_fails_when_told() -> None:
    x = torch.ones(4, device="ipex")
    with faults("allocation") as counted:
        x + 1, x + 2
    assert (counted.passes, counted.count) == (2, 0)
    with faults("allocation", at=2) as injected:
        x + 1
        with pytest.raises(torch.OutOfMemoryError, match="E201"):
            x + 2
        x + 3
    assert (injected.passes, injected.count) == (3, 1)


def test_sites_may_be_nested() -> None:
    x = torch.ones(40, 40, device="ipex")
    with faults("execution") as outer, faults("allocation") as inner:
        (x @ x).cpu()
    assert outer.passes == 1
    assert inner.passes >= 1


@pytest.mark.parametrize(
    ("site", "options"),
    [("memory", {}), ("allocation", {"at": 0}), ("allocation", {"at": 1, "times": -1})],
)
def test_bad_argument_raises_e103(site: str, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"E103.*accepted"), faults(site, **options):
        pass


def test_site_in_use_raises_e103_and_stays_in_use() -> None:
    with faults("allocation") as outer:
        with pytest.raises(ValueError, match=r"E103.*in use"), faults("allocation"):
            pass
        torch.ones(4, device="ipex")
    assert outer.passes == 1


def test_pinned_memory_fails_too() -> None:
    with faults("allocation", at=1), pytest.raises(torch.OutOfMemoryError, match="E201"):
        torch.ones(4).pin_memory()
