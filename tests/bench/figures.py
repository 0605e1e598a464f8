"""The figures: what is divided by what, the floor that must be met, the goal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests import browsers, visits
from tests.bench import boundaries, inside, journey, load
from tests.bench.boundaries import BOUNDARIES, LATE
from tests.bench.inside import AHEAD, Inside
from tests.bench.journey import STEPS, WITHIN, Journey
from tests.bench.load import FAULT_ENDED, PROVEN_WITHIN, Kept, Load
from tests.bench.restoring import ACCOUNTS, Restoring
from tests.bench.saving import Saving
from tests.bench.timing import Spread
from tests.served import Served
from tests.visits import Visit

Range = tuple[float, float]


class Run:
    """What one run of the bench measures, each part when a figure first asks for it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @cached_property
    def inside(self) -> Inside:
        """The rounds in this process."""
        return Inside(self._directory)

    @cached_property
    def late(self) -> list[float]:
        """By how many seconds codes were late without a server."""
        return boundaries.late(self._directory / "boundaries")

    @cached_property
    def visits(self) -> list[Visit]:
        """First visits of a hundred accounts, on a phone and on a computer."""
        with Served(self._directory / "visits", accounts=100) as served, sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browsers.find(), args=list(browsers.ARGUMENTS))
            found = [visits.first(chromium, served, width=width) for width in (360, 1280)]
            chromium.close()
        return found

    @cached_property
    def saving(self) -> Saving:
        """Changes that are backed up, in this process."""
        return Saving()

    @cached_property
    def restoring(self) -> Restoring:
        """A thousand accounts that are restored, in this process."""
        return Restoring()

    @cached_property
    def kept(self) -> Kept:
        """People at a server whose lists are backed up, and a store that fails for a while."""
        return load.of_changes(self._directory / "changes", seconds=load.CHANGING)

    @cached_property
    def journey(self) -> Journey:
        """Somebody who restores, in a browser."""
        return journey.of(self._directory / "journey")

    @cached_property
    def load(self) -> Load:
        """Browsers over loopback."""
        return load.of_refreshes(self._directory / "load")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. A floor of one number is the most that may be; of two, the bounds. None: printed only."""

    name: str
    what: str
    measure: Callable[[Run], Spread]
    floor: float | Range | None = None
    goal: float | Range | None = None

    def meets(self, value: float, bound: float | Range | None) -> bool:
        """Whether a value keeps a bound."""
        if bound is None:
            return True
        return bound[0] <= value <= bound[1] if isinstance(bound, tuple) else value <= bound


def _growth(kind: str) -> Callable[[Run], Spread]:
    def measured(run: Run) -> Spread:
        return run.inside.of(
            lambda one: (
                ((one[f"{kind}_1000"] - one[f"{kind}_100"]) / 900) / ((one[f"{kind}_100"] - one[f"{kind}_10"]) / 90)
            )
        )

    return measured


def _loopback(run: Run) -> Spread:
    cpu = run.load.cpu
    return Spread.exactly(float("nan")) if cpu is None else run.inside.of(lambda one: cpu / one["refresh_100"])


FIGURES = (
    Figure(
        "codes",
        "CPU of the requests for codes that the page makes for 100 accounts in an hour (clock.js itself, its time "
        "simulated), a minute ÷ 200 bare codes (HMAC, truncation, six digits as text)",
        lambda run: run.inside.ratio("hour", "bare_codes_hour"),
        floor=1.5,
        goal=0.9,
    ),
    Figure(
        "small_list",
        "CPU of one refresh of 10 accounts ÷ an empty view for a signed-in person of a stock Django + allauth project",
        lambda run: run.inside.ratio("refresh_10", "stock"),
        floor=1.0,
        goal=0.6,
    ),
    Figure(
        "look",
        "CPU of one look with nothing new at a list of 100 accounts (204, the list unopened) ÷ an empty view for a "
        "signed-in person of a stock Django + allauth project",
        lambda run: run.inside.ratio("look_100", "stock"),
        floor=0.6,
        goal=0.4,
    ),
    Figure(
        "page",
        f"CPU of the list of 100 accounts with its {AHEAD * 100:,} codes ÷ (unsealing and parsing the list once + that "
        "many bare codes)",
        lambda run: run.inside.ratio("page_100", "bare_open", "bare_codes"),
        floor=2,
        goal=1.1,
    ),
    Figure(
        "page_plain",
        "the same ÷ an empty view for a signed-in person of a stock Django + allauth project",
        lambda run: run.inside.ratio("page_100", "stock"),
        floor=5,
        goal=2.7,
    ),
    Figure(
        "growth_page",
        "CPU an account of the list from 100 to 1,000 accounts ÷ from 10 to 100",
        _growth("page"),
        floor=(0.7, 1.3),
        goal=(0.85, 1.15),
    ),
    Figure(
        "growth_refresh",
        "CPU an account of a refresh from 100 to 1,000 accounts ÷ from 10 to 100",
        _growth("refresh"),
        floor=(0.7, 1.3),
        goal=(0.85, 1.15),
    ),
    Figure(
        "queries",
        "the most that the list or a refresh asks the database; the same at 1, 3 and 1,000 accounts, or 1,000 more",
        lambda run: inside.queries(),
        floor=4,
        goal=2,
    ),
    Figure(
        "generator",
        "10 consecutive codes of 100 fresh keys, set-up included ÷ as many bare HMAC-SHA1",
        lambda run: run.inside.ratio("generator", "bare_hmacs"),
        floor=0.9,
        goal=0.65,
    ),
    Figure(
        "boundaries",
        f"of {BOUNDARIES} boundaries of an account of 5 seconds, over 100 seconds without a server: those whose right "
        f"code was drawn within {LATE * 1000:.0f} ms",
        lambda run: Spread.exactly(sum(late <= LATE for late in run.late)),
        floor=(BOUNDARIES, BOUNDARIES),
        goal=(BOUNDARIES, BOUNDARIES),
    ),
    Figure(
        "lateness",
        f"how late (or early) they were ÷ {LATE * 1000:.0f} ms",
        lambda run: Spread.of([late / LATE for late in run.late]),
    ),
    Figure(
        "first_visit",
        "bytes over the wire of the first visit of a list of 100 accounts, headers included ÷ 1,000",
        lambda run: Spread.exactly(max(visit.size for visit in run.visits) / 1000),
        floor=60,
    ),
    Figure(
        "first_requests",
        "what that visit asks for, icon and manifest included",
        lambda run: Spread.exactly(max(len(visit.files) for visit in run.visits)),
        floor=16,
    ),
    Figure(
        "first_shifts",
        "what moves meanwhile, on 360 and on 1,280 pixels",
        lambda run: Spread.exactly(sum(len(visit.shifts) for visit in run.visits)),
        floor=0,
    ),
    Figure(
        "stock_kept",
        "the stock project's empty view with its database kept connected, as ours is ÷ as Django's defaults have it",
        lambda run: run.inside.ratio("stock_kept", "stock"),
    ),
    Figure(
        "loopback",
        f"CPU of the server for a refresh of 100 accounts, {load.BROWSERS} browsers over loopback ÷ in this process",
        _loopback,
    ),
    Figure(
        "loopback_rate",
        "answers a second of one worker × CPU of such a refresh in this process (1: a core that does nothing else)",
        lambda run: run.inside.of(lambda one: run.load.a_second * one["refresh_100"]),
    ),
    Figure(
        "change_with_backup",
        "CPU of renaming one of 100 accounts with Cloud Backup on, proven in the directory store ÷ with it off",
        lambda run: run.saving.change,
        floor=3,
        goal=1.7,
    ),
    Figure(
        "making",
        "CPU of a saved state of 1,000 accounts from the opened list, proof included ÷ canonical JSON, one envelope of "
        "that size written and read, strict JSON",
        lambda run: run.saving.making,
        floor=2,
        goal=1.2,
    ),
    Figure(
        "restore",
        f"CPU of the services of both requests from the proof spent to the commit, {ACCOUNTS:,} accounts into an empty "
        "list that is backed up, the new saved state proven ÷ one envelope read, its contents parsed, one merge, two "
        "lists sealed, one opened, what `making` is divided by, one state saved",
        lambda run: run.restoring.restore,
        floor=2,
        goal=1.3,
    ),
    Figure(
        "again",
        "CPU of the same where all of them are there, which writes nothing into the list ÷ one envelope read, its "
        "contents parsed, one list opened, one draft sealed and opened",
        lambda run: run.restoring.again,
        floor=2,
        goal=1.3,
    ),
    Figure(
        "rewrap",
        "CPU of 10,000 envelopes passed under another server key ÷ as many bare unwrap, wrap and two HMACs over those "
        "bytes",
        lambda run: run.saving.rewrap,
        floor=3,
        goal=1.5,
    ),
    Figure(
        "proven_late",
        f"seconds from an acknowledged change to a proven saved state that holds it, {load.PEOPLE} people of 100 "
        f"accounts at two workers, a change every {load.EVERY:.0f} s each, p95 ÷ {PROVEN_WITHIN:.0f} s",
        lambda run: Spread.exactly(run.kept.late / PROVEN_WITHIN),
        floor=1,
    ),
    Figure(
        "fault_ended",
        f"seconds from the end of a fault of the store until every acknowledged change is in one, the last ÷ "
        f"{FAULT_ENDED:.0f} s",
        lambda run: Spread.exactly(run.kept.after_fault / FAULT_ENDED),
        floor=1,
    ),
    Figure(
        "journey",
        f"seconds from “Restore from backup” to codes on the screen in a browser at the demo and its provider, where a "
        f"machine reads and types ÷ {WITHIN:.0f} s",
        lambda run: Spread.exactly(run.journey.seconds / WITHIN),
        floor=1,
    ),
    Figure(
        "journey_person",
        f"the same with what a person's hands and decisions take by the keystroke-level model, sign-in included "
        f"÷ {WITHIN:.0f} s",
        lambda run: Spread.exactly((run.journey.seconds + run.journey.by_hand) / WITHIN),
        floor=1,
    ),
    Figure(
        "journey_steps",
        "pages of that way on which something is done, the provider's counted as one",
        lambda run: Spread.exactly(run.journey.steps),
        floor=STEPS,
    ),
)
