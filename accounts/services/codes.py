"""The codes of a list, from an instant on, and the next code of a counter."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from accounts.services import vaults
from accounts.services.activity import Tag
from accounts.services.vaults import OpenVault
from accounts.vault import otp
from accounts.vault.coder import MakesCodes
from accounts.vault.entry import Entry, Type

LEAST_COUNT = 2  # The current code and the next one.


class Code(NamedTuple):
    """Codes of one account, one after another without gaps in one string: `width` characters each.

    The first is that of period number `step`; a period has `period` seconds. A counter account has no period: `step`
    is the counter that made its one code.
    """

    digits: str
    width: int
    step: int
    period: int

    @property
    def first(self) -> str:
        """The code of now."""
        return self.digits[: self.width]

    @property
    def second(self) -> str:
        """The code after it."""
        return self.digits[self.width : 2 * self.width]

    @property
    def ends_at(self) -> int:
        """When the first code ends, in seconds since 1970."""
        return (self.step + 1) * self.period


@sensitive_variables()
def ahead(
    entries: Iterable[MakesCodes], *, at: datetime, since: int | None = None, over: timedelta | None = None
) -> dict[str, Code]:
    """For each account with a period, by id: its codes from now on for `over`, five minutes by default.

    `since` (seconds since 1970) leaves out what the asker has already; nothing is ever given beyond `over`, and always
    the current code and the next one when nothing is left out.
    """
    now = vaults.seconds(at)
    until = now + int((settings.CODES_AHEAD if over is None else over).total_seconds())
    begin = now if since is None else max(now, since)
    steps: dict[int, tuple[int, int]] = {}  # Of each period, since most accounts share theirs.
    found: dict[str, Code] = {}
    for entry in entries:
        if entry.secret is None or entry.type is Type.HOTP:
            continue
        period = otp.period_of(entry)
        if period not in steps:
            step = begin // period
            steps[period] = step, max(until // period - step + 1, 0 if begin > now else LEAST_COUNT)
        step, count = steps[period]
        if count:
            digits = otp.codes(entry, step, count)
            found[entry.id] = Code(digits, len(digits) // count, step, period)
    return found


@sensitive_variables()
def first(entry: Entry, *, at: datetime) -> Code:
    """The code to check at the site while an account is added: of now and the next, or of the counter as it stands."""
    if entry.type is Type.HOTP:
        digits = otp.hotp(entry, entry.counter)
        return Code(digits, len(digits), entry.counter, 0)
    return ahead([entry], at=at, over=timedelta(0))[entry.id]


@sensitive_variables()
def next_code(vault: OpenVault, entry_id: str, *, at: datetime) -> Code:
    """The next code of a counter account. The counter is kept before the code is shown, so none is given twice.

    Raises NotListed, ParseError for an account without a counter.
    """
    after = vaults.change(vault, lambda accounts: accounts.next_counter(entry_id), tag=Tag.ENTRY_COUNTED, at=at)
    entry = after.get(entry_id)
    digits = otp.hotp(entry, entry.counter - 1)
    return Code(digits, len(digits), entry.counter - 1, 0)
