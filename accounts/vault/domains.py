"""Names of domains: one spelling for each, why a text is none, and which of them an account names.

One spelling is that of IDNA 2008: labels in ASCII, in lower case, without a dot at the end. Whatever is written in wide
letters, with other dots, in capitals or with characters that nobody sees comes to the same.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import Final

import idna

from accounts.vault.entry import NAME_LENGTH, Entry

LONGEST: Final = 253
_LONGEST_LABEL: Final = 63
_LONGEST_TEXT: Final = NAME_LENGTH  # Before what is not seen is dropped.
_PART: Final = 32
_OF_ADDRESSES: Final = frozenset("/:?#")

_AT: Final = re.compile("[@\uff20\ufe6b]")
_DOTS: Final = re.compile("[\u3002\uff0e\uff61]")
# What shows as nothing: Unicode's default ignorable code points, what formats text, and the blank of Braille.
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)


class Fault(StrEnum):
    """Why a text is no name of one domain."""

    EMPTY = "empty"
    ADDRESS = "address"
    AT = "at"
    WILDCARD = "wildcard"
    SPACE = "space"
    IP = "ip"
    TOO_LONG = "too_long"
    SINGLE = "single"
    UNREADABLE = "unreadable"


class NotADomain(Exception):
    """The text names no domain, and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def canonical(text: str) -> str:
    """The one spelling of the domain that a text names. Raises NotADomain."""
    text = text.strip()
    bare = _seen(text) if len(text) <= _LONGEST_TEXT else text
    if not bare:
        raise NotADomain(Fault.EMPTY)
    if len(bare) > LONGEST:
        raise NotADomain(Fault.TOO_LONG)
    if _is_number(bare):
        raise NotADomain(Fault.IP)
    letters = set(bare)
    if letters & _OF_ADDRESSES:
        raise NotADomain(Fault.ADDRESS)
    if "@" in letters:
        raise NotADomain(Fault.AT)
    if "*" in letters:
        raise NotADomain(Fault.WILDCARD)
    if any(map(str.isspace, letters)):
        raise NotADomain(Fault.SPACE)
    if max(map(len, bare.split("."))) > _LONGEST_LABEL:
        raise NotADomain(Fault.TOO_LONG)
    domain = _encoded(bare)
    if not domain:
        raise NotADomain(Fault.UNREADABLE)
    if "." not in domain:
        raise NotADomain(Fault.SINGLE)
    return domain


def is_one(text: str) -> bool:
    """Whether a text names a domain."""
    try:
        canonical(text)
    except NotADomain:
        return False
    return True


def readable(domain: str) -> str:
    """A domain in its one spelling as people read it: "bücher.example"."""
    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain


def named_by(entry: Entry) -> tuple[str, str]:
    """The domains that an account names: its issuer, and what stands in its name behind the last "@".

    Each in its one spelling. What is no domain comes as a text that no domain is equal to.
    """
    *_, host = _AT.split(entry.name)
    return _spelled(entry.issuer), "" if host == entry.name else _spelled(host)


def of_address(address: str) -> str:
    """The domain of a mail address, in its one spelling."""
    return _spelled(_AT.split(address)[-1])


def _seen(text: str) -> str:
    """A text in its usual letters and dots, without what shows as nothing and what ends no name.

    Of one that comes out longer than a domain only so much that this is seen.
    """
    if text.isascii():
        return _ended(text)
    text, seen = _ended(_DOTS.sub(".", _UNSEEN.sub("", text))), ""
    for begin in range(0, len(text), _PART):  # One letter may stand for eighteen: thousands would be thrown away.
        seen = unicodedata.normalize("NFKC", seen + text[begin : begin + _PART])
        if len(seen) > LONGEST:
            break
    return _ended(_DOTS.sub(".", seen))


def _ended(text: str) -> str:
    return text.strip().rstrip(". ")


def _spelled(text: str) -> str:
    # A thousand accounts are asked at each change of a list, under its lock: nearly all of their names are ASCII, which
    # has one spelling, and what is compared with it is a domain already. Of the others nothing is encoded that cannot
    # be one.
    if len(text) > _LONGEST_TEXT:
        return ""
    text = _seen(text).lower()
    if text.isascii() and "xn--" not in text:
        return text
    if len(text) > LONGEST or "." not in text or max(map(len, text.split("."))) > _LONGEST_LABEL:
        return ""
    return _encoded(text)


@lru_cache(maxsize=4096)
def _encoded(text: str) -> str:
    """In ASCII; empty where it is no domain. What shows as nothing is dropped out of Punycode too."""
    try:
        if "xn--" in text.lower():
            text = _UNSEEN.sub("", idna.decode(text, uts46=True))
        return idna.encode(text, uts46=True).decode("ascii").rstrip(".")
    except (idna.IDNAError, UnicodeError):
        return ""


def _is_number(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return text.rpartition(".")[2].isdecimal()
    return True
