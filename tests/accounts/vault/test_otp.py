from __future__ import annotations

import random
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from accounts.vault import otp, uri
from accounts.vault.entry import Algorithm, Entry, Kind, Type
from accounts.vault.errors import ParseError, Reason
from accounts.vault.secret import Secret
from tests.accounts.vault.support import cases, id_of, new_entry, vectors

HASHES = {
    Algorithm.SHA1: hashes.SHA1(),  # noqa: S303 - what codes are made of
    Algorithm.SHA256: hashes.SHA256(),
    Algorithm.SHA512: hashes.SHA512(),
}
SIZES = [1, 2, 5, 9, 10, 13, 14, 16, 20, 32, 63, 64, 65, 100, 127, 128, 129, 300]


@pytest.mark.row("T1")
def test_hotp_codes_are_those_of_the_rfc() -> None:
    v = vectors("rfc4226")
    entry = new_entry(secret=Secret(bytes.fromhex(v["key"])), type=Type.HOTP, digits=v["digits"])

    assert [otp.hotp(entry, row["counter"]) for row in v["vectors"]] == [row["code"] for row in v["vectors"]]
    assert otp.codes(entry, 0, 10) == "".join(row["code"] for row in v["vectors"])


@pytest.mark.row("T2")
def test_totp_codes_are_those_of_the_rfc() -> None:
    v = vectors("rfc6238")
    made = {}
    for row in v["vectors"]:
        key = Secret(bytes.fromhex(v["keys"][row["algorithm"]]))
        algorithm = Algorithm(row["algorithm"])
        entry = new_entry(secret=key, algorithm=algorithm, digits=v["digits"], period=v["period"])
        slow = otp.Totp(key, algorithm=algorithm, digits=v["digits"], period=v["period"])
        made[row["at"], row["algorithm"]] = (otp.code_at(entry, row["at"]), slow.at(row["at"]))

    assert made == {(row["at"], row["algorithm"]): (row["code"], row["code"]) for row in v["vectors"]}


@pytest.mark.row("T2")
@pytest.mark.parametrize("row", vectors("codes")["vectors"])
def test_codes_are_those_that_other_authenticators_show(row: dict[str, object]) -> None:
    row = dict(row)
    key, _ = uri.secret_from_text(str(row.pop("key")))
    code, at = row.pop("code"), row.pop("at", 0)
    entry = new_entry(secret=key, **{**row, "type": Type(row.get("type", "totp")), "algorithm": algorithm_of(row)})

    assert otp.code_at(entry, at) == code
    assert slow_code(entry, otp.step(entry, at)) == code


@pytest.mark.row("T3")
def test_recorded_codes_of_oathtool_are_ours() -> None:
    v = vectors("oathtool")["vectors"]
    wrong = []
    for row in v:
        entry = new_entry(
            secret=Secret(bytes.fromhex(row["key"])),
            type=Type(row["type"]),
            algorithm=algorithm_of(row),
            digits=row["digits"],
            period=row.get("period", 30),
            counter=row.get("counter", 0),
        )
        step = otp.step(entry, row.get("at", 0))
        if {otp.code_at(entry, row.get("at", 0)), slow_code(entry, step)} != {row["code"]}:
            wrong.append(row)

    assert (len(v), wrong) == (500, [])


@pytest.mark.row("T3")
def test_random_codes_are_those_of_cryptography() -> None:
    chance = random.Random(6238)
    wrong = []
    for number in range(cases(10_000, 1_000_000)):
        key = chance.randbytes(chance.choice(SIZES))
        algorithm, digits = chance.choice(list(Algorithm)), chance.choice([6, 7, 8])
        if number % 2:
            counter = chance.getrandbits(chance.choice([8, 31, 40, 62]))
            theirs = HOTP(key, digits, HASHES[algorithm], enforce_key_length=False).generate(counter).decode()
        else:
            at, period = chance.getrandbits(34), chance.randrange(1, 301)
            counter = at // period
            theirs = TOTP(key, digits, HASHES[algorithm], period, enforce_key_length=False).generate(at).decode()
        if otp.run(Secret(key), counter, 1, algorithm=algorithm, digits=digits) != theirs:
            wrong.append((key.hex(), algorithm, digits, counter))

    assert wrong == []


def test_the_fast_path_is_equal_to_pyotps_classes() -> None:
    chance = random.Random(4226)
    wrong = []
    for _ in range(cases(3_000, 100_000)):
        kind = chance.choice(list(Type))
        entry = new_entry(
            secret=Secret(chance.randbytes(chance.choice(SIZES))),
            type=kind,
            algorithm=chance.choice(list(Algorithm)),
            digits=chance.choice([5, 6, 7, 8, 9, 10]),
            period=chance.choice([1, 15, 30, 60, 300, 86_400]),
        )
        first, count = chance.getrandbits(chance.choice([4, 31, 62])), chance.randrange(1, 6)
        slow = "".join(slow_code(entry, step) for step in range(first, first + count))
        if otp.codes(entry, first, count) != slow:
            wrong.append((entry.to_document(), first, count))

    assert wrong == []


@pytest.mark.long
@pytest.mark.row("T3")
def test_random_codes_are_those_of_oathtool() -> None:
    oathtool = shutil.which("oathtool")
    assert oathtool, "apt-get install oathtool"
    chance = random.Random(50_000)
    seen, wrong = 0, []
    while seen < cases(50_000, 50_000):
        key, digits, count = chance.randbytes(chance.choice(SIZES)), chance.choice([6, 7, 8]), 100
        algorithm, period = chance.choice(list(Algorithm)), chance.randrange(1, 301)
        first = chance.getrandbits(31)
        if algorithm is Algorithm.SHA1 and chance.random() < 0.5:
            asked = ["--hotp", "-c", str(first)]
        else:
            asked = [f"--totp={algorithm}", "-s", f"{period}s", "-N", f"@{first * period}"]
        command = [oathtool, *asked, "-d", str(digits), "-w", str(count - 1), key.hex()]
        theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        ours = otp.run(Secret(key), first, count, algorithm=algorithm, digits=digits)
        if ours != "".join(theirs):
            wrong.append(command)
        seen += len(theirs)

    assert wrong == []


def test_a_code_has_as_many_letters_as_the_account_says() -> None:
    for digits in range(5, 11):
        entry = new_entry(digits=digits)
        assert len(otp.codes(entry, 0, 40)) == 40 * digits
        assert otp.codes(entry, 7, 1) == otp.codes(entry, 0, 8)[-digits:]
    assert len(otp.codes(new_entry(type=Type.STEAM), 0, 40)) == 200


def test_no_codes_are_no_text() -> None:
    assert otp.codes(new_entry(), 5, 0) == ""


def test_a_step_lasts_a_period_and_a_counter_does_not_care() -> None:
    entry, counter = new_entry(period=40), new_entry(type=Type.HOTP, counter=12)

    assert [otp.step(entry, at) for at in (0, 39, 40, 2**31 * 40)] == [0, 0, 1, 2**31]
    assert [otp.step(counter, at) for at in (0, 10**10)] == [12, 12]
    assert (otp.period_of(entry), otp.period_of(counter)) == (40, 30)


def test_an_account_without_a_key_has_no_code() -> None:
    name_only = Entry.new(id=id_of(1), kind=Kind.WORK, issuer="A", name="b", secret=None)

    with pytest.raises(ParseError) as caught:
        otp.code_at(name_only, 0)

    assert caught.value.reason is Reason.NO_SECRET


def algorithm_of(row: dict[str, object]) -> Algorithm:
    return Algorithm(row.get("algorithm", "SHA1"))


def slow_code(entry: Entry, step: int) -> str:
    """The same by pyotp's own classes."""
    assert entry.secret is not None
    if entry.type is Type.STEAM:
        return otp.Steam(entry.secret).generate_otp(step)
    if entry.type is Type.HOTP:
        return otp.Hotp(entry.secret, algorithm=entry.algorithm, digits=entry.digits).at(step)
    totp = otp.Totp(entry.secret, algorithm=entry.algorithm, digits=entry.digits, period=entry.period)
    return totp.generate_otp(step)
