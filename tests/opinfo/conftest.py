"""Prints the executed counts of the acceptance suite at the end of the run."""

from collections.abc import Iterator

import pytest
import torch

from .tally import summary


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Samples are tiny: a second thread only adds waiting, and most of all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line per database, for instance `op_db float32: operators 677, forward 18 760, ...`."""
    lines = summary()
    if lines:
        terminalreporter.section("compared with CPU")
        for line in lines:
            terminalreporter.write_line(line)
