"""An OpenID Connect provider of the tests, over real HTTP on loopback. It tells the truth until it is told to lie.

One server, many issuers: `http://127.0.0.1:PORT/<name>` each with its own discovery, people and keys. What is asked of
it is recorded; what it answers next can be scripted, request by request:

    op = FakeProvider()
    home = op.issuer("home")
    home.next("token", claims={"nonce": "another"})     # one ID token with this claim, the next ones true again
    home.next("token", claims={"auth_time": lambda now: now - 3600})
    home.next("discovery", status=500)
    home.ask = True                                     # the sign-in page waits for a click
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import json
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

_REMOVED = object()
REMOVED: Any = _REMOVED  # As a claim: it is left out.


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class Answer:
    """What is said instead of the truth: other claims, another status, other bytes, after a while."""

    claims: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(
        default_factory=dict
    )  # Fields of the token answer beside or instead of the true ones.
    query: dict[str, Any] | None = None  # Of the way back, instead of code and state; state is kept unless named.
    status: int = 200
    body: bytes | None = None
    content_type: str = "application/json"
    after: float = 0.0
    signed_by_another: bool = False


@dataclass
class Issuer:
    """One issuer of the server."""

    url: str
    name: str
    client_id: str = "authweb"
    client_secret: str | None = "not a secret"  # None: another one each time, as Apple's, which is not looked at.
    iss: str = ""  # What tokens name as their issuer; this address where nothing is said.
    below: str = ""  # Where it describes itself, below its address: "organizations/v2.0".
    pkce: bool = True
    person: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "alice-1",
            "email": "alice@home.example",
            "preferred_username": "alice@home.example",
        }
    )
    ask: bool = False
    requests: list[Request] = field(default_factory=list)
    scripted: dict[str, deque[Answer]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def speaks_as(self) -> str:
        """The issuer of its tokens."""
        return self.iss or self.url

    def next(self, endpoint: str, **answer: Any) -> None:
        """The next answer of `discovery`, `authorize`, `token`, `userinfo` or `jwks`; several queue up."""
        self.scripted.setdefault(endpoint, deque()).append(Answer(**answer))

    def asked(self, endpoint: str) -> list[Request]:
        """The requests that an endpoint got, in order."""
        return [request for request in self.requests if request.path.endswith(f"/{endpoint}")]

    def take(self, endpoint: str) -> Answer:
        """What to answer now."""
        queue = self.scripted.get(endpoint)
        return queue.popleft() if queue else Answer()


class FakeProvider:
    """The server. `with FakeProvider() as op:` ends it."""

    def __init__(self) -> None:
        self.issuers: dict[str, Issuer] = {}
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        handler = type("Handler", (_Handler,), {"op": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server; from then on nobody answers at its address."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def issuer(self, name: str, **fields: Any) -> Issuer:
        """A new issuer under this path."""
        self.issuers[name] = Issuer(f"{self.address}/{name}", name, **fields)
        return self.issuers[name]

    def id_token(self, issuer: Issuer, asked: dict[str, str], answer: Answer) -> str:
        """The ID token for what was asked at `authorize`, with the answer's claims over the true ones."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": issuer.speaks_as,
            "aud": issuer.client_id,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "jti": secrets.token_hex(8),
            **issuer.person,
        }
        if "nonce" in asked:
            claims["nonce"] = asked["nonce"]
        said = {name: value(now) if callable(value) else value for name, value in answer.claims.items()}
        claims.update(said)
        claims = {name: value for name, value in claims.items() if value is not _REMOVED}
        # PyJWT refuses to write what a liar would write: the bytes are signed as they are.
        return jwt.api_jws.encode(
            json.dumps(claims).encode(),
            self.other_key if answer.signed_by_another else self.key,
            algorithm="RS256",
            headers={"kid": "1"},
        )


class _Handler(BaseHTTPRequestHandler):
    op: ClassVar[FakeProvider]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal of the tests."""

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(_flat(body.decode()))

    def _answer(self, form: dict[str, str]) -> None:
        address = urlsplit(self.path)
        name, _, endpoint = address.path.strip("/").partition("/")
        if name == "favicon.ico":  # A browser asks by itself; a 404 would be an error of its console.
            self._send(204, b"", "image/x-icon")
            return
        issuer = self.op.issuers.get(name)
        if issuer is not None and issuer.below:
            endpoint = endpoint.removeprefix(f"{issuer.below}/")
        endpoint = {".well-known/openid-configuration": "discovery"}.get(endpoint, endpoint)
        if issuer is None or endpoint not in ("discovery", "authorize", "token", "userinfo", "jwks"):
            self._send(404, b"{}", "application/json")
            return
        issuer.requests.append(
            Request(str(self.command), f"/{endpoint}", _flat(address.query), form, dict(self.headers.items()))
        )
        answer = issuer.take(endpoint)
        if answer.after:
            time.sleep(answer.after)
        if answer.body is not None or answer.status != 200:
            self._send(answer.status, answer.body or b"", answer.content_type)
            return
        getattr(self, f"_{endpoint}")(issuer, issuer.requests[-1], answer)

    def _discovery(self, issuer: Issuer, request: Request, answer: Answer) -> None:
        truth = {
            "issuer": issuer.speaks_as,
            "authorization_endpoint": f"{issuer.url}/authorize",
            "token_endpoint": f"{issuer.url}/token",
            "userinfo_endpoint": f"{issuer.url}/userinfo",
            "jwks_uri": f"{issuer.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }
        said = {name: value for name, value in {**truth, **answer.claims}.items() if value is not _REMOVED}
        self._send_json(said)

    def _jwks(self, issuer: Issuer, request: Request, answer: Answer) -> None:
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self.op.key.public_key(), as_dict=True)
        self._send_json({"keys": [{**key, "kid": "1", "use": "sig", "alg": "RS256"}]})

    def _authorize(self, issuer: Issuer, request: Request, answer: Answer) -> None:
        asked = request.query
        if asked.get("client_id") != issuer.client_id or "redirect_uri" not in asked:
            self._send(400, b"This client is not known here.", "text/plain")
            return
        if issuer.ask and "yes" not in asked:
            again = f"{issuer.url}/authorize?{urlencode({**asked, 'yes': '1'})}"
            link = f'<a href="{html.escape(again)}">Continue</a>'
            page = f"<!doctype html><title>{issuer.name}</title><h1>{issuer.name}</h1>{link}"
            self._send(200, page.encode(), "text/html; charset=utf-8")
            return
        code = secrets.token_urlsafe(16)
        issuer.codes[code] = asked
        back = {"state": asked.get("state", ""), **({"code": code} if answer.query is None else answer.query)}
        back = {name: value for name, value in back.items() if value is not _REMOVED}
        if asked.get("response_mode") == "form_post":
            fields = "".join(
                f'<input type=hidden name="{name}" value="{html.escape(value)}">' for name, value in back.items()
            )
            form = f'<!doctype html><form method=post action="{html.escape(asked["redirect_uri"])}">{fields}</form>'
            self._send(200, f"{form}<script>document.forms[0].submit()</script>".encode(), "text/html; charset=utf-8")
            return
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _token(self, issuer: Issuer, request: Request, answer: Answer) -> None:
        form = request.form
        asked = issuer.codes.pop(form.get("code", ""), None)
        if (
            asked is None
            or form.get("client_id") != issuer.client_id
            or issuer.client_secret not in (None, form.get("client_secret"))
            or form.get("redirect_uri") != asked["redirect_uri"]
            or (issuer.pkce and not _proves(asked, form.get("code_verifier", "")))
        ):
            self._send(400, b'{"error": "invalid_grant"}', "application/json")
            return
        said = {
            "access_token": f"access-{secrets.token_urlsafe(12)}",
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.op.id_token(issuer, asked, answer),
            **answer.token,
        }
        self._send_json({name: value for name, value in said.items() if value is not _REMOVED})

    def _userinfo(self, issuer: Issuer, request: Request, answer: Answer) -> None:
        self._send_json({**issuer.person, **answer.claims})

    def _send_json(self, said: Any) -> None:
        self._send(200, json.dumps(said).encode(), "application/json")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # Who waited too long has gone.
            self.wfile.write(body)


def _flat(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _proves(asked: dict[str, str], verifier: str) -> bool:
    """PKCE, S256."""
    if asked.get("code_challenge_method") != "S256":
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return secrets.compare_digest(digest, asked["code_challenge"].encode())
