"""A plugin of pytest: `-p tests.article.recording --outcomes FILE` runs what is marked, and keeps how it ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.article.marks import Mark

PASSED = "passed"


class Recording:
    """The marks as pytest has them, and the outcome of each test: the worst of its cases."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._marks: list[Mark] = []
        self._outcomes: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what is not marked."""
        marked = [item for item in items if item.get_closest_marker("article")]
        config.hook.pytest_deselected(items=[item for item in items if item not in marked])
        items[:] = marked
        for item in items:
            self._marks += [
                Mark(mark.args[0], test_of(item.nodeid), *mark.args[1:]) for mark in item.iter_markers("article")
            ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Of setting up, the test and tearing down: what did not pass stays said."""
        test = test_of(report.nodeid)
        if report.when == "call" or report.outcome != PASSED:
            before = self._outcomes.get(test, PASSED)
            self._outcomes[test] = before if before != PASSED else report.outcome

    def pytest_sessionfinish(self) -> None:
        """Write it down."""
        marks = sorted({(mark.row, mark.test, mark.side) for mark in self._marks})
        self._file.write_text(json.dumps({"marks": marks, "outcomes": self._outcomes}))


def test_of(nodeid: str) -> str:
    """A test without its case."""
    return nodeid.partition("[")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--outcomes`: where to."""
    parser.addoption("--outcomes", type=Path, required=True, help="the file that outcomes are written to")


def pytest_configure(config: pytest.Config) -> None:
    """Begin."""
    config.pluginmanager.register(Recording(config.getoption("--outcomes")))
