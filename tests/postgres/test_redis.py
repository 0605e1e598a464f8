"""Redis in the cache's place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.core.cache import cache
from django.test import Client, override_settings

from authweb import databases
from tests import processes
from tests.postgres import cluster
from tests.processes import Started


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Started, int]]:
    """A Redis of this test's own, that keeps nothing."""
    port = processes.free_port()
    program = cluster.require("redis-server", "redis-server") / "redis-server"
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with Started(command, settings={}) as started:
        started.wait_until(lambda: _answers(port), seconds=10)
        yield started, port


def _answers(port: int) -> bool:
    try:
        with redis.Redis(port=port) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_cache_in_redis_counts_and_is_missed_when_it_is_gone(server: tuple[Started, int], db: None) -> None:
    started, port = server
    with override_settings(CACHES={"default": databases.cache(f"redis://127.0.0.1:{port}/0")}):
        cache.add("tries", 0, 60)
        assert [cache.incr("tries") for _ in range(3)] == [1, 2, 3]
        assert Client().get("/healthz").json() == {"database": "ok", "cache": "ok", "store": "ok"}

        started.end()

        until = time.monotonic() + 5
        while Client().get("/healthz").status_code == 200 and time.monotonic() < until:
            time.sleep(0.1)
        answer = Client().get("/healthz")
        assert (answer.status_code, answer.json()) == (503, {"database": "ok", "cache": "down", "store": "ok"})
        cache._connections["default"].close()
