"""Domains: one spelling for each, however it is written, and a reason for each text that is none."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from accounts.vault import domains
from accounts.vault.domains import Fault, NotADomain
from tests.accounts.vault.support import new_entry

WRITTEN = (
    *("contoso.com", "CONTOSO.com", " contoso.com ", "contoso.com.", "contoso.com. .", "ｃｏｎｔｏｓｏ.com"),
    *("contoso。com", "contoso．com．", "con\u00adtoso.com", "contoso\u200b.com", "contoso\u200d.com\u200e"),
    *("contoso.com。。", "contoso︒com", "contoso.com\u2800", "contoso.com\u2065", "con\u3164toso.com"),
)


@pytest.mark.parametrize("text", WRITTEN, ids=ascii)
def test_domain_has_one_spelling_however_it_is_written(text: str) -> None:
    assert (domains.canonical(text), domains.is_one(text)) == ("contoso.com", True)
    assert domains.named_by(new_entry(issuer=text.strip(), name="alice")) == ("contoso.com", "")
    assert domains.named_by(new_entry(issuer="VPN", name=f"alice＠{text}"))[1] == "contoso.com"
    assert domains.named_by(new_entry(issuer="VPN", name=f"alice@{text}"))[1] == "contoso.com"
    assert domains.of_address(f"alice@{text}") == "contoso.com"


@pytest.mark.parametrize(
    "text", ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE."]
)
def test_international_domain_is_one_with_its_ascii(text: str) -> None:
    assert domains.canonical(text) == "xn--bcher-kva.example"
    assert domains.named_by(new_entry(issuer="", name=f"a@{text}"))[1] == "xn--bcher-kva.example"
    assert domains.readable("xn--bcher-kva.example") == "bücher.example"


def test_what_shows_as_nothing_makes_no_other_domain() -> None:
    formats = [letter for letter in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(letter) == "Cf"]
    joined = "نامه\u200cای.example"

    seen = {domains.canonical(f"con{letter}toso.com") for letter in formats}

    assert (len(formats) > 100, seen) == (True, {"contoso.com"})
    assert domains.canonical("xn--mgba3gch31f060k.example") == domains.canonical(joined)
    for name in (joined, "xn--mgba3gch31f060k.example", joined.replace("\u200c", "")):
        assert domains.named_by(new_entry(issuer="", name=f"a@{name}"))[1] == domains.canonical(joined)


def test_of_names_that_unfold_only_a_part_is_unfolded_and_nothing_is_encoded() -> None:
    """Each letter of these stands for eighteen; a thousand such accounts are asked at each change of a list."""
    entries = [new_entry(issuer="\ufdfa" * 256, name=f"{number}@" + "\ufdfa" * 250) for number in range(100)]
    encoded = domains._encoded.cache_info()

    found = {domains.named_by(entry) for entry in entries}

    assert found == {("", "")}
    assert domains._encoded.cache_info() == encoded  # Asked for none of them.
    assert len(domains._seen("\ufdfa" * 256)) <= domains.LONGEST + 18 * 32


def test_other_domains_stay_others() -> None:
    names = ("a@it.contoso.com", "a@contoso.com.example", "a@notcontoso.com", "contoso.com", "contoso.com@x")
    found = [domains.named_by(new_entry(issuer="it.contoso.com", name=name)) for name in names]

    assert "contoso.com" not in {domain for both in found for domain in both}
    assert domains.canonical("straße.example") != domains.canonical("strasse.example")
    assert domains.named_by(new_entry(issuer="♞.♞", name="a@♞.com")) == ("", "")
    assert domains.readable("xn--zz.com") == "xn--zz.com"
    assert domains.of_address(f"a@{'x' * 5000}.com") == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        *((text, Fault.EMPTY) for text in ("", "  ", ".", "\u200b")),
        *((text, Fault.ADDRESS) for text in ("https://contoso.com", "contoso.com/", "contoso.com:443", "a.com?b")),
        *((text, Fault.AT) for text in ("alice@contoso.com", "@contoso.com", "＠contoso.com")),
        *((text, Fault.WILDCARD) for text in ("*.contoso.com", "*")),
        *((text, Fault.SPACE) for text in ("con toso.com", "a.com b.com", "a.com\u3000b.com")),
        *((text, Fault.IP) for text in ("10.0.0.1", "[2001:db8::1]", "::1", "300.1.1.1", "１０.0.0.1", "10。0。0。1")),
        *((text, Fault.SINGLE) for text in ("localhost", "com")),
        *((text, Fault.UNREADABLE) for text in ("a..com", "-a.com", "a_b.com", "xn--zz.com", "♞.com")),
        *((text, Fault.TOO_LONG) for text in (f"{'a' * 64}.com", "a." * 200 + "com")),
    ],
)
def test_text_that_is_no_domain_is_told_why(text: str, fault: Fault) -> None:
    with pytest.raises(NotADomain) as refused:
        domains.canonical(text)

    assert (refused.value.fault, domains.is_one(text)) == (fault, False)
