"""A bucket for tests: a real S3 service in its own process, and somebody between it and us who spoils what passes."""

from __future__ import annotations

import http.client
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3.session
from botocore.config import Config

from tests import processes

KEYS = {"access_key": "of-tests-alone", "secret_key": "of-tests-alone"}
REGION = "us-east-1"

# Answers that a service gives instead of doing what it was asked: status and code.
REFUSALS = {
    "403": (403, "AccessDenied"),
    "409": (409, "ConditionalRequestConflict"),
    "412": (412, "PreconditionFailed"),
    "500": (500, "InternalError"),
    "503": (503, "SlowDown"),
    "507": (507, "XMinioStorageFull"),
}


@contextmanager
def service() -> Iterator[int]:
    """A service of its own on a free port of this machine, ended afterwards. The port."""
    port = processes.free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with processes.Started(command, settings={}) as process:
        process.wait_until(lambda: _answers(port))
        yield port


def client(port: int) -> Any:
    """A client that does what it is told: for making buckets, and for looking from outside."""
    session = boto3.session.Session(aws_access_key_id="of-tests-alone", aws_secret_access_key="of-tests-alone")
    return session.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def options(port: int, bucket: str, **more: Any) -> dict[str, Any]:
    """What S3Store is made with, for a bucket of this service."""
    return {"bucket": bucket, "endpoint": f"http://127.0.0.1:{port}", "region": REGION, **KEYS, **more}


def _answers(port: int) -> bool:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        asked.request("GET", "/moto-api/")
        asked.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        asked.close()


class Between:
    """Stands between a store and the service: `spoil("503", "slow")` spoils the next requests, one after another.

    Beside the refusals: `page` a proxy's page instead of an answer; `slow` no answer in time; `gone` none at all;
    `kept` it is done and the answer is lost; `cut` half the body; `wrong` one bit of it is another; `ok` nothing.
    """

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        self._faults: deque[str] = deque()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(port))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.slow = 1.0
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def spoil(self, *faults: str) -> None:
        """What happens to the next requests, instead of what was said before."""
        self._faults = deque(faults)
        self.asked.clear()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self, port: int) -> type[BaseHTTPRequestHandler]:
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = 5

            def do(self) -> None:
                between.asked.append(self.command)
                fault = between._faults.popleft() if between._faults else "ok"
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if fault == "slow":
                    time.sleep(between.slow)
                if fault in ("slow", "gone"):
                    self.close_connection = True
                    return
                if fault == "page":
                    self.answer(502, [("Content-Type", "text/html")], b"<html><p>Bad gateway<hr></html>")
                    return
                if fault in REFUSALS:
                    status, code = REFUSALS[fault]
                    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No.</Message></Error>"
                    self.answer(status, [("Content-Type", "application/xml")], text.encode())
                    return
                status, headers, found = self.forwarded(body)
                if fault == "kept":
                    self.close_connection = True
                    return
                if fault == "wrong" and found:
                    found = found[:-1] + bytes([found[-1] ^ 1])
                self.answer(status, headers, found, cut=fault == "cut")

            do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = do  # noqa: N815 - as http.server calls them

            def forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
                asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                try:
                    dropped = ("expect", "connection")
                    headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
                    asked.request(self.command, self.path, body=body, headers=headers)
                    answer = asked.getresponse()
                    found = answer.read()
                finally:
                    asked.close()
                dropped = ("content-length", "connection", "transfer-encoding")
                return answer.status, [(n, v) for n, v in answer.getheaders() if n.lower() not in dropped], found

            def answer(self, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: bool = False) -> None:
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if cut else body)
                self.close_connection = cut

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
