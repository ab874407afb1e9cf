"""Injects thousands of faults into the programs of this folder; see CONTRIBUTING.md.

Usage: python tests/faults/run.py [--faults 10000] [--seed N] [--program NAME ...]
Stops at the first thing that does not hold, with status 1 and the seed that repeats it.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.injecting import MADE_ONCE, SITES, Case, Outcome
from faults.models import MODELS
from faults.operators import OPERATORS
from faults.program import Program

OFTEN = tuple(site for site in SITES if site not in MADE_ONCE)
HANG_SECONDS = 600
HEAVY_SHARE = 50  # a heavy program gets one fault where another one gets so many
MADE_ONCE_SHARE = 0.1  # of faults where primitives are made: each run makes all of them again, which takes its time


class Fault(NamedTuple):
    """The arguments of `Case.inject`."""

    case: Case
    site: str
    at: int
    times: int
    warm: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=10_000, help="how many to inject")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the positions")
    parser.add_argument("--program", action="append", default=[], help="only programs of these names")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    warnings.simplefilter("ignore")
    chosen = [row for row in (*OPERATORS, *MODELS) if not options.program or row.name in options.program]
    if not chosen:
        parser.error(f"no such program; there are {', '.join(row.name for row in (*OPERATORS, *MODELS))}")
    gc.collect()
    gc.freeze()  # so that collecting garbage after each fault is cheap
    start, tally = time.monotonic(), Counter[tuple[str, Outcome]]()
    for fault in Chooser(chosen, options.seed):
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        try:
            outcome = fault.case.inject(fault.site, fault.at, times=fault.times, warm=fault.warm)
        except BaseException:
            print(f"seed {options.seed}, program {fault.case.program.name!r}: {fault[1:]}", flush=True)
            raise
        tally[fault.site, outcome] += 1
        done = sum(count for (_, outcome), count in tally.items() if outcome is not Outcome.NO_FAULT)
        if done >= options.faults:
            break
    faulthandler.cancel_dump_traceback_later()
    print(f"{'site':24}{'faults':>9}{'an error':>12}{'a right result':>17}")
    for site in SITES:
        errors, right = (tally[site, outcome] for outcome in (Outcome.ERROR, Outcome.RIGHT))
        print(f"{site:24}{errors + right:9}{errors:12}{right:17}")
    print(f"{done} faults in {len(chosen)} programs, {time.monotonic() - start:.0f} s")
    return 0


class Chooser:
    """Chooses faults at random places, for ever; programs take turns.

    Args:
        programs: any that can fail.
        seed: of everything that is random.
    """

    def __init__(self, programs: list[Program], seed: int) -> None:
        self._programs = programs
        self._random = random.Random(seed)
        self._cases: dict[str, Case] = {}
        self._passes: dict[tuple[str, str, bool], int] = {}

    def __iter__(self) -> Iterator[Fault]:
        choose = self._random
        while True:
            for program in choose.sample(self._programs, len(self._programs)):
                if program.is_heavy and choose.randrange(HEAVY_SHARE):
                    continue
                sites = MADE_ONCE if choose.random() < MADE_ONCE_SHARE else OFTEN
                site, warm = choose.choice(sites), not program.writes and choose.random() < 0.5
                if passes := self._count(program, site, warm=warm):
                    times = choose.choice((1, 1, 2, 1000))
                    yield Fault(self._cases[program.name], site, choose.randint(1, passes), times, warm)

    def _count(self, program: Program, site: str, *, warm: bool) -> int:
        if program.name not in self._cases:
            self._cases[program.name] = Case(program)
        key = program.name, site, warm
        if key not in self._passes:
            self._passes[key] = self._cases[program.name].passes(site, warm=warm)
        return self._passes[key]


if __name__ == "__main__":
    raise SystemExit(main())
