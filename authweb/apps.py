"""The project's own app: welcome, health, pages of errors."""

from __future__ import annotations

from django.apps import AppConfig


class AuthwebConfig(AppConfig):
    """The app's name."""

    name = "authweb"
