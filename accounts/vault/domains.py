"""Names of domains: one spelling for each, why a text is none, and which of them an account names.

One spelling is that of IDNA 2008: labels in ASCII, in lower case, without a dot at the end. Whatever is written in wide
letters, with other dots, in capitals or with characters that nobody sees comes to the same.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from enum import StrEnum
from typing import Final

import idna

from accounts.vault.entry import Entry

LONGEST: Final = 253
_LONGEST_LABEL: Final = 63
_OF_ADDRESSES: Final = frozenset("/:?#")


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
    bare = _seen(text).strip().rstrip(". ")
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
    if _is_number(domain):  # Its digits or dots were those of another script.
        raise NotADomain(Fault.IP)
    return domain


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
    _, sign, host = _seen(entry.name).rpartition("@")
    return _spelled(_seen(entry.issuer)), _spelled(host) if sign else ""


def of_address(address: str) -> str:
    """The domain of a mail address, in its one spelling."""
    return _spelled(_seen(address).rpartition("@")[2])


def _seen(text: str) -> str:
    """A text in its usual letters, without the characters that show as nothing."""
    if text.isascii():
        return text
    return "".join(letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")


def _spelled(text: str) -> str:
    # A thousand accounts are asked at each change of a list: nearly all of their names are ASCII, which has one
    # spelling, and what is compared with it is a domain already.
    text = text.strip().rstrip(". ")
    return text.lower() if text.isascii() else _encoded(text)


def _encoded(text: str) -> str:
    """In ASCII; empty where it is no domain."""
    try:
        return idna.encode(text, uts46=True).decode("ascii").rstrip(".")
    except (idna.IDNAError, UnicodeError):
        return ""


def _is_number(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return text.rpartition(".")[2].isdecimal()
    return True
