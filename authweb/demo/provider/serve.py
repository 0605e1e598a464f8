"""`python -m authweb.demo.provider.serve`: makes what is missing, listens at three ports, says "ready"."""

from __future__ import annotations

import os
import socketserver
import sys
import threading
from pathlib import Path
from typing import Any

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.apps import apps
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction

from authweb.demo.provider import issuers
from authweb.demo.provider.issuers import HOST, ISSUERS, SECRET
from authweb.demo.provider.people import PASSWORD, PEOPLE

_CLIENT = "allauth_idp_oidc.Client"


class Handler(WSGIRequestHandler):
    """One connection. An answer goes out in pieces: none of them waits until the one before was received."""

    disable_nagle_algorithm = True


class Listener(ThreadedWSGIServer):
    """One port."""

    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind, without asking the network what this machine is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])
        self.setup_environ()


def signing_key(file: Path) -> str:
    """The key that signs tokens, PEM; made once, it goes with the folder."""
    if file.exists():
        return file.read_text(encoding="ascii")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    whole = file.with_suffix(".new")
    with open(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
        written.write(pem)
    whole.replace(file)
    return pem.decode("ascii")


@transaction.atomic
def seed() -> None:
    """Make the people who are not there yet, with their second factors, and Authweb's applications as they are now."""
    users, addresses, factors, clients = (model.objects for model in _models())
    known = set(users.values_list("username", flat=True))
    password = make_password(PASSWORD)
    for person in PEOPLE:
        if person.email in known:
            continue
        user = users.create(username=person.email, email=person.email, first_name=person.first_name, password=password)
        addresses.create(user=user, email=user.email, verified=True, primary=True)
        if person.key:
            factors.create(user=user, type="totp", data={"secret": person.base32})
    for issuer in ISSUERS:
        clients.update_or_create(
            pk=issuer.client_id,
            defaults={
                "name": "Authweb",
                "secret": make_password(SECRET),
                "scopes": "openid\nprofile\nemail",
                "redirect_uris": issuer.redirect_uri(settings.SITE_URL),
                "skip_consent": True,
            },
        )


def _models() -> list[Any]:
    # By name: they cannot be imported before the settings are chosen.
    return [apps.get_model(name) for name in ("auth.User", "account.EmailAddress", "mfa.Authenticator", _CLIENT)]


def main() -> None:
    """Serve until told to end."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "authweb.demo.provider.settings"
    try:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    except ImproperlyConfigured as refused:
        sys.exit(str(refused))
    settings.IDP_OIDC_PRIVATE_KEY = signing_key(settings.DATA_DIR / "signing-key.pem")
    django.setup()
    try:
        listeners = [Listener((HOST, settings.PORT + issuer.offset), Handler) for issuer in ISSUERS]
    except OSError as error:
        last = settings.PORT + issuers.PORTS - 1
        sys.exit(f"Ports {settings.PORT + 1} to {last} of {HOST} cannot all be had: {os.strerror(error.errno or 0)}.")
    call_command("migrate", interactive=False, verbosity=0)
    seed()
    connection.close()
    application = get_wsgi_application()
    for listener in listeners:
        listener.set_app(application)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
    print("ready: " + ", ".join(f"{one.name} at {one.origin(settings.PORT)}" for one in ISSUERS), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
