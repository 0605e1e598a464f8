"""A request as a browser sends it, given to a site in this process: all of its middleware, no network.

Knows no site: ours and the stock one are asked in the same way.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

_TOKEN = "a" * 32  # A browser's own: what counts is that cookie and header agree.
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Asker:
    """One browser at one site, whose cookies stay as they are."""

    def __init__(
        self, application: Application, *, host: str, cookies: dict[str, str], csrf: str = "csrftoken"
    ) -> None:
        self._application, self._csrf = application, csrf
        self._environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "HTTP_HOST": host,
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8",
            "HTTP_ACCEPT_ENCODING": "gzip, deflate, br",
            "HTTP_ACCEPT_LANGUAGE": "en-GB,en;q=0.9",
            "HTTP_SEC_FETCH_SITE": "same-origin",
            "HTTP_USER_AGENT": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/130.0.0.0",
        }

    def get(self, path: str, query: str = "", *, expected: str = "200 OK") -> bytes:
        """The body of a page, as it would go out. Fails for any other status than the one expected."""
        return self._asked({"PATH_INFO": path, "QUERY_STRING": query, "wsgi.input": io.BytesIO()}, expected)

    def post(self, path: str, form: Mapping[str, str], *, expected: str = "303 See Other") -> bytes:
        """What a form is answered with, likewise."""
        body = urlencode(form).encode()
        return self._asked(
            {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": path,
                "QUERY_STRING": "",
                "CONTENT_TYPE": "application/x-www-form-urlencoded",
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_COOKIE": f"{self._environ['HTTP_COOKIE']}; {self._csrf}={_TOKEN}",
                "HTTP_X_CSRFTOKEN": _TOKEN,
                "HTTP_ORIGIN": f"https://{self._environ['HTTP_HOST']}",
                "wsgi.input": io.BytesIO(body),
            },
            expected,
        )

    def _asked(self, request: dict[str, Any], expected: str) -> bytes:
        status: list[str] = []
        environ = {**self._environ, **request}
        answer = self._application(environ, lambda said, headers, error=None: status.append(said))
        body = b"".join(answer)
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        assert status == [expected], status
        return body
