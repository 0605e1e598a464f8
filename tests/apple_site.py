"""Authweb with Apple's own sign-in, led to the provider of the tests: `python -m tests.apple_site PORT`.

Says the cookies of alice, who is signed in, and where the landing of a proof of hers is; then answers until its end.
"""

from __future__ import annotations

import json
import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django

django.setup()

from allauth.socialaccount.providers.apple.views import AppleOAuth2Adapter  # noqa: E402 - after the settings
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import reverse  # noqa: E402

from accounts.models import User  # noqa: E402
from accounts.roles import Role  # noqa: E402
from tests import factories, proving  # noqa: E402
from tests.factories import Visitor  # noqa: E402


class Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Server(ThreadingMixIn, WSGIServer):
    """A browser asks for several things at once."""

    daemon_threads = True


def main(port: int) -> None:
    """Patch Apple's addresses, and serve."""
    at = os.environ["APPLE_AT"]
    AppleOAuth2Adapter.authorize_url = f"{at}/authorize"
    AppleOAuth2Adapter.access_token_url = f"{at}/token"
    AppleOAuth2Adapter.public_key_url = f"{at}/jwks"
    alice = factories.at_another_browser(Visitor(User.objects.get(email="alice@example.org"), factories.Client()))
    landing = reverse("accounts:proof", args=[proving.seed(alice.user, Role.APPLE).pk])
    cookies = {name: morsel.value for name, morsel in alice.client.cookies.items()}
    server = make_server("127.0.0.1", port, get_wsgi_application(), server_class=Server, handler_class=Quiet)
    print("ready", json.dumps({"cookies": cookies, "landing": landing}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
