"""The server's entry (PEP 3333)."""

from __future__ import annotations

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "authweb.settings")

application = get_wsgi_application()

from accounts.services import keyring  # noqa: E402 - needs the apps, which are there from here on

keyring.check()  # A worker that starts later than the server must not write under another key.

# What is loaded by now lives as long as the worker: the collector need not look at it with every request.
gc.collect()
gc.freeze()
