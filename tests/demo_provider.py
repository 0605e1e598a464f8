"""The demo's provider as a process, and who speaks to it: somebody at a browser, and Authweb's application.

with Provider(directory) as provider:
    somebody = Somebody(provider, MICROSOFT)
    somebody.ask(prompt="login"); somebody.sign_in("bob"); claims = somebody.claims()
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urljoin, urlsplit

import jwt
import requests
from playwright.sync_api import Page, expect

from accounts.vault import otp
from authweb.demo import samples
from authweb.demo.provider.issuers import MICROSOFT, PORTS, SECRET, Issuer
from authweb.demo.provider.people import PASSWORD
from tests import processes
from tests.environment import ROOT
from tests.factories import Visitor
from tests.processes import Started

SERVE = (sys.executable, "-m", "authweb.demo.provider.serve")


class Provider:
    """The three issuers, listening; `began` is how long that took, in seconds. Alone: Authweb itself is not there.

    With `port`, and not entered, those of a demo that has that port and runs already. With `site`, they answer an
    Authweb that has another address than the demo's.
    """

    def __init__(self, directory: Path, *, port: int = 0, site: str = "") -> None:
        self.port = port or processes.free_port(and_next=PORTS - 1)
        self.site = site or f"http://localhost:{self.port}"
        self.settings = {"DEBUG": "1", "DEMO": "1", "PORT": str(self.port), "DATA_DIR": str(directory)}
        self.settings |= {"SITE_URL": self.site}
        self._used: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        begun = time.monotonic()
        self.process = Started(SERVE, settings=self.settings, cwd=ROOT).__enter__()
        self.process.wait_for("ready", seconds=30)
        self.began = time.monotonic() - begun
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.__exit__(kind, error, trace)

    def discovery(self, issuer: Issuer, tenant: str = "") -> dict[str, Any]:
        """What it says of itself, below a tenant's name where one is given."""
        below = f"/{tenant}/v2.0" if tenant else ""
        return dict(
            requests.get(f"{issuer.origin(self.port)}{below}/.well-known/openid-configuration", timeout=10).json()
        )

    def code_of(self, issuer: Issuer) -> str:
        """A code of alice that she has not used yet, as her list in Authweb shows it: of now, just past, or next."""
        now = datetime.now(UTC)
        (entry,) = [entry for entry in samples.new_list(at=now) if entry.issuer == issuer.name]
        while True:
            at = int(time.time())
            for moment in (at, at - 30, at + 30):
                code = otp.code_at(entry, moment)
                if (issuer.name, code) not in self._used:
                    self._used.add((issuer.name, code))
                    return code
            time.sleep(1)

    def sign_in(self, page: Page, issuer: Issuer, who: str) -> None:
        """In a real browser, at this issuer: address and password, a code where one is asked for, and back."""
        page.wait_for_url(f"{issuer.origin(self.port)}/**")
        page.get_by_label("Address").fill(f"{who}@{issuer.domain}")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Continue").click()
        if (who, issuer) == ("alice", MICROSOFT):
            page.get_by_label("Code").fill(self.code_of(issuer))
            page.get_by_role("button", name="Continue").click()
        page.wait_for_url(f"{self.site}/**")

    def cancel(self, page: Page, issuer: Issuer) -> None:
        """In a real browser, at this issuer: no."""
        page.wait_for_url(f"{issuer.origin(self.port)}/**")
        page.get_by_role("link", name="Cancel").click()
        page.wait_for_url(f"{self.site}/**")


@dataclass
class Somebody:
    """A browser at one issuer, and the application that sent it there: the `page` it shows, the `answer` that came."""

    provider: Provider
    issuer: Issuer
    browser: requests.Session = field(default_factory=requests.Session)
    address: str = ""
    page: str = ""
    status: int = 0
    answer: dict[str, str] = field(default_factory=dict)

    def ask(self, **asked: str) -> Self:
        """Begin an authorization, as Authweb does; `asked` comes on top. A value of "" leaves a parameter out."""
        self.verifier, self.state, self.nonce = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=")
        parameters = {
            "response_type": "code",
            "client_id": self.issuer.client_id,
            "redirect_uri": self.issuer.redirect_uri(self.provider.site),
            "scope": "openid profile email",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
            **asked,
        }
        endpoint = f"{self.issuer.origin(self.provider.port)}/identity/o/authorize"
        return self._go("GET", endpoint, params={name: value for name, value in parameters.items() if value})

    def sign_in(self, who: str, password: str = PASSWORD) -> Self:
        """Type address and password into the page that is shown: `bob`, or a whole address."""
        return self.submit(login=who if "@" in who else f"{who}@{self.issuer.domain}", password=password)

    def submit(self, **typed: str) -> Self:
        """Send the form of the page that is shown."""
        (action,) = re.findall(r'<form method="post" action="([^"]*)"', self.page)
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page)
        return self._go("POST", html.unescape(action), data={"csrfmiddlewaretoken": token, **typed})

    def follow(self, text: str) -> Self:
        """Click on the link that reads so."""
        (address,) = re.findall(rf'<a [^>]*href="([^"]+)"[^>]*>(?:<bdi>)?{re.escape(text)}', self.page)
        return self._go("GET", html.unescape(address))

    def exchange(self, **instead: str) -> requests.Response:
        """Give the code for tokens, as Authweb does; `instead` changes what is sent."""
        return requests.post(
            f"{self.issuer.origin(self.provider.port)}/identity/o/api/token",
            data={
                "grant_type": "authorization_code",
                "code": self.answer["code"],
                "redirect_uri": self.issuer.redirect_uri(self.provider.site),
                "client_id": self.issuer.client_id,
                "client_secret": SECRET,
                "code_verifier": self.verifier,
                **instead,
            },
            timeout=10,
        )

    def claims(self) -> dict[str, Any]:
        """What the ID token says, its signature checked by the keys that the issuer publishes."""
        answered = self.exchange()
        assert answered.status_code == 200, answered.text
        token = answered.json()["id_token"]
        keys = requests.get(self.provider.discovery(self.issuer)["jwks_uri"], timeout=10).json()
        key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
        return dict(jwt.decode(token, key, algorithms=["RS256"], audience=self.issuer.client_id))

    @property
    def headings(self) -> list[str]:
        """What the page is called, and what it says went wrong."""
        found = re.findall(r"<h1>(.*?)</h1>|<p class=\"error\"[^>]*>(.*?)</p>", self.page)
        return [html.unescape(heading or error) for heading, error in found]

    def value_of(self, name: str) -> str:
        """What stands in a field."""
        (field,) = re.findall(rf'<input [^>]*name="{name}"[^>]*>', self.page)
        return "".join(html.unescape(value) for value in re.findall(r'value="([^"]*)"', field))

    def _go(self, method: str, address: str, **options: Any) -> Self:
        """Go there and on, until a page is shown or Authweb is reached."""
        self.page, self.answer = "", {}
        address = urljoin(self.address or self.issuer.origin(self.provider.port), address)
        for _ in range(9):
            got = self.browser.request(method, address, allow_redirects=False, timeout=10, **options)
            self.address, self.status = got.url, got.status_code
            if not got.is_redirect:
                self.page = got.text
                return self
            method, address, options = "GET", urljoin(got.url, got.headers["Location"]), {}
            if address.startswith(self.issuer.redirect_uri(self.provider.site)):
                self.answer = dict(parse_qsl(urlsplit(address).query))
                return self
        raise AssertionError(f"It leads from page to page: {address}")


@dataclass(frozen=True, slots=True)
class OnDevice:
    """Somebody at a page of a browser that holds a list, on a device whose backups are kept at `issuer`."""

    page: Page
    provider: Provider
    issuer: Issuer
    visitor: Visitor

    def press(self, name: str) -> None:
        """A button or a link that reads so, in the page's own part."""
        main = self.page.locator("main")
        main.get_by_role("button", name=name, exact=True).or_(main.get_by_role("link", name=name, exact=True)).click()

    def heads(self, text: str | re.Pattern[str]) -> None:
        """Wait for the page that is called so."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(text)
