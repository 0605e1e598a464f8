"""Nothing is asked of anybody outside: with sockets shut the whole main journey works as it does with them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.attacks import life


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Sockets that refuse to leave, and a list of what tried to."""
    tried: list[str] = []

    def shut(what: str) -> Any:
        def refused(*arguments: Any, **_: Any) -> None:
            tried.append(f"{what} {arguments[-1] if arguments else ''}")
            raise OSError("Sockets are shut.")

        return refused

    for name in ("connect", "connect_ex", "sendto", "sendmsg"):
        monkeypatch.setattr(socket.socket, name, shut(name), raising=False)
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, shut(name))
    yield tried


@pytest.mark.row("T27")
@pytest.mark.django_db(transaction=True)
def test_whole_journey_connects_to_nothing(connects: list[str]) -> None:
    lived = life.lived()

    assert len(lived.answers) > 60
    assert connects == []


@pytest.mark.row("T27")
@pytest.mark.parametrize(
    "attempt",
    [
        lambda: requests.get("http://127.0.0.1:9/", timeout=1),
        lambda: socket.create_connection(("127.0.0.1", 9), timeout=1),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
        lambda: socket.getaddrinfo("elsewhere.example", 443),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_connects_is_noticed(attempt: Any, connects: list[str]) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - requests wraps ours in one of its own
        attempt()

    assert len(connects) == 1
