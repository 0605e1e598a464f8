"""The project's own app: welcome, help, health, pages of errors."""

from __future__ import annotations

from django.apps import AppConfig


class AuthwebConfig(AppConfig):
    """The app's name, and its checks."""

    name = "authweb"

    def ready(self) -> None:
        """The help is whole."""
        from authweb import checks  # noqa: F401, PLC0415 - the apps below must be loaded first
