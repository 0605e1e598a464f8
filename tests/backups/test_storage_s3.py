"""The bucket, behind somebody who spoils what passes: every answer has its cause, and nothing is written over."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backups.storage import LARGEST, Cause, NameTaken, NotStored, StoreFailed
from tests import buckets, processes
from tests.buckets import Between
from tests.environment import ROOT
from tests.store_writer import generation

NAME = generation("00" * 8, 1)
DATA = b"generation" * 500


def lying_in(service: int, bucket: str) -> dict[str, bytes]:
    """What lies in a bucket, seen from outside."""
    client = buckets.client(service)
    try:
        keys = [found["Key"] for found in client.list_objects_v2(Bucket=bucket).get("Contents", ())]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    finally:
        client.close()


CAUSES = {
    "403": Cause.REFUSED,
    "500": Cause.UNREACHABLE,
    "503": Cause.UNREACHABLE,
    "507": Cause.FULL,
    "page": Cause.UNREACHABLE,
    "slow": Cause.UNREACHABLE,
    "gone": Cause.UNREACHABLE,
}


@pytest.mark.parametrize("fault", CAUSES)
def test_write_that_is_not_taken_has_its_cause(
    fault: str, s3_store: Callable[..., Any], between: Between, service: int, bucket: str
) -> None:
    store = s3_store(read=0.3)
    between.spoil(fault)

    with pytest.raises(StoreFailed) as failed:
        store.create(NAME, DATA)

    assert (failed.value.cause, between.asked, lying_in(service, bucket)) == (CAUSES[fault], ["PUT"], {})
    store.create(NAME, DATA)
    assert lying_in(service, bucket) == {NAME: DATA}


def test_write_whose_answer_is_lost_is_found_under_its_name(s3_store: Callable[..., Any], between: Between) -> None:
    store = s3_store()
    between.spoil("kept")

    with pytest.raises(StoreFailed):
        store.create(NAME, DATA)

    with pytest.raises(NameTaken):
        store.create(NAME, DATA)
    assert store.fetch(NAME) == DATA


def test_name_that_another_writes_just_now_is_asked_for_once_more(
    s3_store: Callable[..., Any], between: Between
) -> None:
    waited: list[float] = []
    store = s3_store(pause=waited.append)
    between.spoil("409")
    store.create(NAME, DATA)
    assert between.asked == ["PUT", "PUT"]

    between.spoil("409", "412")
    with pytest.raises(NameTaken):
        store.create(NAME, b"other")
    between.spoil("409", "409")
    with pytest.raises(StoreFailed, match="unknown \\(409 ConditionalRequestConflict\\)"):
        store.create(NAME, b"other")
    assert (store.fetch(NAME), len(waited)) == (DATA, 3)


def test_what_another_says_is_taken_is_taken(s3_store: Callable[..., Any], between: Between) -> None:
    between.spoil("412")

    with pytest.raises(NameTaken):
        s3_store().create(NAME, DATA)


@pytest.mark.parametrize("fault", CAUSES)
def test_read_that_fails_is_asked_twice_and_is_no_missing_backup(
    fault: str, s3_store: Callable[..., Any], between: Between
) -> None:
    store = s3_store(read=0.3, pause=lambda _: None)
    store.create(NAME, DATA)
    reads: list[tuple[Callable[[], object], object]] = [
        (lambda: store.fetch(NAME), DATA),
        (lambda: list(store.names()), [NAME]),
        (lambda: store.exists(NAME), True),
    ]
    # Who is refused would be refused again.
    asked = ["GET"] if fault == "403" else ["GET", "GET"]

    for read, found in reads:
        between.spoil(fault, fault)
        with pytest.raises(StoreFailed) as failed:
            read()
        assert (failed.value.cause, between.asked) == (CAUSES[fault], asked)
        between.spoil(*([] if fault == "403" else [fault]))
        assert (read(), between.asked) == (found, asked)


def test_body_that_ends_too_soon_is_no_body(s3_store: Callable[..., Any], between: Between) -> None:
    store = s3_store(pause=lambda _: None)
    store.create(NAME, DATA)

    between.spoil("cut", "cut")
    with pytest.raises(StoreFailed, match="unreachable \\((IncompleteReadError|ResponseStreamingError)\\)"):
        store.fetch(NAME)

    between.spoil("cut")
    assert store.fetch(NAME) == DATA


def test_read_back_shows_that_a_bit_is_another(s3_store: Callable[..., Any], between: Between) -> None:
    store = s3_store()
    store.create(NAME, DATA)
    between.spoil("wrong")

    assert store.fetch(NAME) == DATA[:-1] + bytes([DATA[-1] ^ 1])
    assert store.fetch(NAME) == DATA


def test_no_more_is_read_than_was_ever_written(s3_store: Callable[..., Any], service: int, bucket: str) -> None:
    client = buckets.client(service)
    client.put_object(Bucket=bucket, Key="huge", Body=bytes(2 * LARGEST))
    client.close()

    assert len(s3_store(read=20.0).fetch("huge")) == LARGEST + 1


def test_removal_that_is_refused_removes_nothing(s3_store: Callable[..., Any], between: Between) -> None:
    store = s3_store()
    store.create(NAME, DATA)
    for faults in (("403",), ("ok", "403"), ("ok", "503")):
        between.spoil(*faults)
        with pytest.raises(StoreFailed):
            store.remove(NAME)

    assert store.fetch(NAME) == DATA


def test_bucket_that_is_missing_is_away_and_not_empty(s3_store: Callable[..., Any]) -> None:
    store = s3_store(bucket="no-such-bucket")

    for act in (
        lambda: store.create(NAME, DATA),
        lambda: store.fetch(NAME),
        lambda: store.exists(NAME),
        lambda: store.remove(NAME),
        lambda: list(store.names()),
        store.ready,
    ):
        with pytest.raises(StoreFailed, match="NoSuchBucket") as failed:
            act()
        assert failed.value.cause is Cause.UNREACHABLE


def test_service_that_is_not_there_is_said_soon(bucket: str) -> None:
    from backups.storage_s3 import S3Store  # noqa: PLC0415 - boto3 is loaded where it is needed

    store = S3Store(**buckets.options(processes.free_port(), bucket))
    began = time.monotonic()

    with pytest.raises(StoreFailed, match="EndpointConnectionError") as failed:
        store.create(NAME, DATA)

    assert (failed.value.cause, time.monotonic() - began < 2) == (Cause.UNREACHABLE, True)


@pytest.mark.parametrize("fault", CAUSES)
def test_bucket_that_does_not_take_is_not_ready(fault: str, s3_store: Callable[..., Any], between: Between) -> None:
    store = s3_store(read=0.3)
    store.ready()
    between.spoil(fault)

    with pytest.raises(StoreFailed) as failed:
        store.ready()

    assert failed.value.cause is CAUSES[fault]


def test_prefix_keeps_two_stores_of_one_bucket_apart(s3_store: Callable[..., Any], service: int, bucket: str) -> None:
    ours, theirs = s3_store(prefix="a"), s3_store(prefix="ab")
    ours.create(NAME, b"ours")
    theirs.create(NAME, b"theirs")
    ours.ready()

    assert lying_in(service, bucket) == {f"a/{NAME}": b"ours", f"ab/{NAME}": b"theirs", "a/.ready": b""}
    assert (list(ours.names()), list(theirs.names("v1/"))) == ([NAME], [NAME])
    assert (ours.remove(NAME), theirs.fetch(NAME)) == (True, b"theirs")


def test_more_names_than_one_answer_holds_come_in_order(
    s3_store: Callable[..., Any], service: int, bucket: str
) -> None:
    client = buckets.client(service)
    names = [generation("00" * 8, number) for number in range(1, 1103)]
    for name in random.sample(names, len(names)):
        client.put_object(Bucket=bucket, Key=name, Body=b"")
    client.put_object(Bucket=bucket, Key="v1/folder/", Body=b"")
    client.close()
    store = s3_store()

    assert list(store.names("v1/")) == names


OTHERS = """
import json, sys
from django.conf import settings
settings.configure()
from tests.store_writer import store
made = store(json.loads(sys.argv[1]))
made.create("v1/x", b"x")
amazons = store({"BACKEND": "backups.storage_s3.S3Store", "OPTIONS": json.loads(sys.argv[2])})
print(made.fetch("v1/x"), amazons.connection.meta.client.meta.endpoint_url)
"""


def test_keys_and_addresses_of_other_programs_are_not_taken(service: int, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile other]\nendpoint_url = http://127.0.0.1:9\nregion = mars\n")
    described = {"BACKEND": "backups.storage_s3.S3Store", "OPTIONS": buckets.options(service, bucket)}
    amazons = {**buckets.KEYS, "bucket": bucket, "region": "eu-central-1"}
    elsewhere = {
        "AWS_PROFILE": "no-such-profile",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_SESSION_TOKEN": "of-another",
        "AWS_S3_SESSION_PROFILE": "no-such-profile",
        "AWS_ACCESS_KEY_ID": "of-another",
    }

    done = subprocess.run(
        [sys.executable, "-c", OTHERS, json.dumps(described), json.dumps(amazons)],
        cwd=ROOT,
        env=processes.clean_environment(**elsewhere),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("b'x' https://s3.eu-central-1.amazonaws.com\n", "")


def test_directory_store_loads_nothing_of_the_bucket() -> None:
    loaded = (
        "import django, sys; django.setup(); from backups import storage; storage.backups(); import authweb.urls;"
        "print(sorted({'boto3', 'botocore', 'storages', 'backups.storage_s3'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


@pytest.mark.row("T17")
@pytest.mark.timeout(1200)
def test_schedules_of_faults_lose_and_overwrite_nothing(
    s3_store: Callable[..., Any], between: Between, service: int, bucket: str, amount: Callable[..., int]
) -> None:
    """A writer goes on as `keeping` does: again after a failure; where its name is taken, it reads whose it is."""
    chance = random.Random(random.random())
    store = s3_store(read=0.15, pause=lambda _: None)
    between.slow = 0.3
    faults = ["403", "409", "500", "503", "507", "page", "gone", "kept", "ok", "ok"]
    failures = 0
    for schedule in range(amount(short=100, long=2_000)):
        name, data = generation(f"{schedule:016x}", 1), chance.randbytes(chance.choice((1, 10, 5000)))
        other = chance.random() < 0.2
        if other:
            between.spoil()
            store.create(name, b"of another")
        between.spoil(*chance.choices([*faults, "slow"] if schedule % 10 == 0 else faults, k=3), "ok")
        for _ in range(8):
            try:
                store.create(name, data)
                break
            except NameTaken:
                between.spoil(*chance.choice((["cut", "ok"], ["503"], ["ok"])))
                assert store.fetch(name) == (b"of another" if other else data)
                break
            except StoreFailed:
                failures += 1
        else:
            pytest.fail("The faults had ended, and it was not stored.")
        between.spoil()
        assert store.fetch(name) == (b"of another" if other else data)
    assert failures > schedule / 2


def test_not_stored_is_said_of_the_name_alone(s3_store: Callable[..., Any]) -> None:
    with pytest.raises(NotStored):
        s3_store().fetch(NAME)
