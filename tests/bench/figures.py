"""The figures: what is divided by what, the floor that must be met, the goal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import inside
from tests.bench.inside import AHEAD, Inside
from tests.bench.timing import Spread

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. A floor of one number is the most that may be; of two, the bounds. None: printed only."""

    name: str
    what: str
    measure: Callable[[Inside], Spread]
    floor: float | Range | None = None
    goal: float | Range | None = None

    def meets(self, value: float, bound: float | Range | None) -> bool:
        """Whether a value keeps a bound."""
        if bound is None:
            return True
        return bound[0] <= value <= bound[1] if isinstance(bound, tuple) else value <= bound


def _page(rounds: Inside) -> Spread:
    """A hundred accounts, with the codes they carry."""
    return rounds.ratio("page_100", "bare_open", "bare_codes")


def _growth(kind: str) -> Callable[[Inside], Spread]:
    def measured(rounds: Inside) -> Spread:
        return rounds.of(
            lambda one: (
                ((one[f"{kind}_1000"] - one[f"{kind}_100"]) / 900) / ((one[f"{kind}_100"] - one[f"{kind}_10"]) / 90)
            )
        )

    return measured


INSIDE = (
    Figure(
        "codes",
        "CPU of the requests for codes that the page makes for 100 accounts in an hour (clock.js itself, its time "
        "simulated), a minute ÷ 200 bare codes (HMAC, truncation, six digits as text)",
        lambda rounds: rounds.ratio("hour", "bare_codes_hour"),
        floor=1.5,
        goal=0.9,
    ),
    Figure(
        "small_list",
        "CPU of one refresh of 10 accounts ÷ an empty view for a signed-in person of a stock Django + allauth project",
        lambda rounds: rounds.ratio("refresh_10", "stock"),
        floor=1.0,
        goal=0.6,
    ),
    Figure(
        "page",
        f"CPU of the list of 100 accounts with its {AHEAD * 100:,} codes ÷ (unsealing and parsing the list once + that "
        "many bare codes)",
        _page,
        floor=2,
        goal=1.1,
    ),
    Figure(
        "page_plain",
        "the same ÷ an empty view for a signed-in person of a stock Django + allauth project",
        lambda rounds: rounds.ratio("page_100", "stock"),
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
        lambda rounds: inside.queries(),
        floor=4,
        goal=2,
    ),
    Figure(
        "generator",
        "10 consecutive codes of 100 fresh keys, set-up included ÷ as many bare HMAC-SHA1",
        lambda rounds: rounds.ratio("generator", "bare_hmacs"),
        floor=0.9,
        goal=0.65,
    ),
)
