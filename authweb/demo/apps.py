"""The demo: on one's own machine alone, where DEMO=1 and DEBUG=1."""

from __future__ import annotations

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """The app's name."""

    name = "authweb.demo"
    label = "demo"
