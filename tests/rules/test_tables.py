"""Policies are tables, and each table is whole."""

from __future__ import annotations

import re

import pytest
from django.core import checks as django_checks
from django.test import override_settings

from accounts import checks
from accounts.services import activity
from accounts.services.activity import TAGS, Tag
from tests.environment import ROOT


def test_no_system_check_complains() -> None:
    assert [str(found) for found in django_checks.run_checks()] == []


def test_check_names_the_tag_without_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "TAGS", {tag: line for tag, line in TAGS.items() if tag is not Tag.DEVICE_REMOVED})

    assert [found.msg for found in checks.every_tag_has_a_line()] == ["No line of activity for devices:device:removed."]


def test_every_tag_is_source_subject_action() -> None:
    assert [tag for tag in Tag if not re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z_]+", tag)] == []


def test_every_mailed_tag_has_its_mail() -> None:
    templates = [
        ROOT / "templates/mail" / f"{'_'.join(tag.split(':')[1:])}{ending}"
        for tag, line in TAGS.items()
        if line.mailed
        for ending in (".txt", "_subject.txt")
    ]

    assert [path.name for path in templates if not path.is_file()] == []


def test_every_sentence_of_activity_can_be_filled() -> None:
    for tag in Tag:
        event = activity.Event(tag=tag, device_name="Phone", facts={})
        assert "%(" not in activity.sentence(event)


_PRODUCTION = {
    "SESSION_COOKIE_NAME": "__Host-session",
    "CSRF_COOKIE_NAME": "__Host-csrf",
    "DEVICE_COOKIE_NAME": "__Host-device-key-{person}",
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "DEVICE_COOKIE_SECURE": True,
}


def test_cookies_of_a_production_are_tied_to_its_host() -> None:
    with override_settings(**_PRODUCTION):
        assert checks.cookies_are_tied_to_this_host() == []
    for setting, loose in (("DEVICE_COOKIE_NAME", "device-key-{person}"), ("SESSION_COOKIE_SECURE", False)):
        with override_settings(**{**_PRODUCTION, setting: loose}):
            assert [found.id for found in checks.cookies_are_tied_to_this_host()] == ["accounts.E002"]


@pytest.mark.parametrize(
    ("directive", "sources"),
    [
        ("default-src", ["'self'"]),
        ("frame-ancestors", []),
        ("script-src", ["'self'", "'unsafe-inline'"]),
        ("img-src", ["*"]),
    ],
)
def test_open_content_policy_is_refused(directive: str, sources: list[str], settings) -> None:  # noqa: ANN001
    closed = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert checks.policy_of_content_is_closed() == []

    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {**closed, directive: sources}}

    assert [found.id for found in checks.policy_of_content_is_closed()] == ["accounts.E003"]


def test_cache_of_one_process_is_refused() -> None:
    assert checks.cache_is_shared() == []
    with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}):
        assert [found.id for found in checks.cache_is_shared()] == ["accounts.E004"]


def test_mail_that_goes_nowhere_is_refused() -> None:
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend"):
        assert checks.mail_leaves_this_machine() == []
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.console.EmailBackend"):
        assert [found.id for found in checks.mail_leaves_this_machine()] == ["accounts.E005"]


def test_demo_in_production_is_refused() -> None:
    with override_settings(AT_HOME=False):
        assert checks.demo_is_off() == []
    with override_settings(AT_HOME=True):
        assert [found.id for found in checks.demo_is_off()] == ["accounts.E006"]
