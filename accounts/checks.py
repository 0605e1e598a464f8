"""What must hold before anything starts: tables are whole, and a production that is reached is one that is safe."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks

from accounts import roles
from accounts.forms_blocking import FAULTS
from accounts.services.activity import TAGS, WORDS, Tag
from accounts.services.identity import OFFERS, ROLES_OF, Purpose, Reason
from accounts.vault.domains import Fault

_MAILED_NOWHERE = (
    "django.core.mail.backends.console.EmailBackend",
    "django.core.mail.backends.dummy.EmailBackend",
    "django.core.mail.backends.locmem.EmailBackend",
)
_KEPT_BY_ONE_PROCESS = (
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.dummy.DummyCache",
)
_CLOSED = ("default-src", "frame-ancestors", "base-uri", "object-src")
_NOT_INLINE = ("'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'", "*", "http:", "https:")


@checks.register
def every_tag_has_a_line(**_: object) -> list[checks.CheckMessage]:
    """An act without a sentence would be shown by its tag."""
    return [
        checks.Error(f"No line of activity for {tag}.", hint=f"Tag.{tag.name}: Line(_(…), …),", id="accounts.E001")
        for tag in Tag
        if tag not in TAGS
    ]


@checks.register
def every_fault_of_a_domain_has_a_sentence(**_: object) -> list[checks.CheckMessage]:
    """A rule that is not taken says why, on the form and in activity."""
    return [
        checks.Error(f"No sentence for a domain that is {fault}.", hint=f"Fault.{fault.name}: …,", id="accounts.E012")
        for fault in Fault
        if fault not in FAULTS or fault.value not in WORDS["fault"]
    ]


@checks.register(checks.Tags.security, deploy=True)
def cookies_are_tied_to_this_host(**_: object) -> list[checks.CheckMessage]:
    """`__Host-`, Secure, Lax, HttpOnly: the device's cookie is the key to the list."""
    found: list[checks.CheckMessage] = []
    for setting in ("SESSION_COOKIE", "CSRF_COOKIE", "DEVICE_COOKIE"):
        name = str(getattr(settings, f"{setting}_NAME"))
        if not name.startswith("__Host-") or not getattr(settings, f"{setting}_SECURE"):
            found.append(
                checks.Error(f"{setting}_NAME={name!r} is not bound to https.", hint=_HTTPS, id="accounts.E002")
            )
    return found


@checks.register(checks.Tags.security)
def policy_of_content_is_closed(**_: object) -> list[checks.CheckMessage]:
    """Nothing from elsewhere, nothing inline: what a label says is never run."""
    policy: dict[str, Any] = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    found: list[checks.CheckMessage] = [
        checks.Error(f"The content policy does not close {directive}.", id="accounts.E003")
        for directive in _CLOSED
        if list(policy.get(directive, ())) != ["'none'"]
    ]
    found += [
        checks.Error(f"The content policy opens {directive} by {source}.", id="accounts.E003")
        for directive, sources in policy.items()
        for source in sources
        if source in _NOT_INLINE
    ]
    if getattr(settings, "CONTENT_SECURITY_POLICY_REPORT_ONLY", None):
        found.append(checks.Error("The content policy must refuse, not only report.", id="accounts.E003"))
    return found


@checks.register(checks.Tags.caches)
def cache_is_shared(**_: object) -> list[checks.CheckMessage]:
    """Tries are counted in the cache: one that each process has for itself counts only a part of them."""
    if settings.CACHES["default"]["BACKEND"] in _KEPT_BY_ONE_PROCESS:
        return [
            checks.Error("Each process has a cache of its own.", hint="CACHE_URL: empty or Redis.", id="accounts.E004")
        ]
    return []


@checks.register(checks.Tags.compatibility, deploy=True)
def mail_leaves_this_machine(**_: object) -> list[checks.CheckMessage]:
    """Without mail nobody verifies an address, and nobody hears of a new device."""
    if settings.EMAIL_BACKEND in _MAILED_NOWHERE:
        return [checks.Error("Mail is not sent.", hint="EMAIL_URL=smtp://user:password@host:587", id="accounts.E005")]
    return []


@checks.register(checks.Tags.security, deploy=True)
def demo_is_off(**_: object) -> list[checks.CheckMessage]:
    """The demo's keys and passwords are public."""
    if settings.AT_HOME:
        return [checks.Error("DEMO and DEBUG are for one's own machine.", hint="Unset both.", id="accounts.E006")]
    return []


@checks.register
def every_page_of_sign_in_is_guarded(**_: object) -> list[checks.CheckMessage]:
    """A page that allauth brings anew does not answer before somebody has said what guards it."""
    from accounts import sign_in_urls  # noqa: PLC0415 - a URLconf is imported once all apps are ready

    return [
        checks.Error(f"No guard for allauth's {name}.", hint=f'"{name}": fresh_sign_in,', id="accounts.E007")
        for name in sign_in_urls.unguarded()
    ]


@checks.register
def every_purpose_and_reason_is_in_its_tables(**_: object) -> list[checks.CheckMessage]:
    """What a proof is for says which accounts serve it and what is offered after; why it came to nothing, in words."""
    missing = [
        *(("roles for a proof of", purpose, "ROLES_OF") for purpose in Purpose if purpose not in ROLES_OF),
        *(("offer for a proof of", purpose, "OFFERS") for purpose in Purpose if purpose not in OFFERS),
        *(("word for a proof that is", reason, "WORDS") for reason in Reason if reason not in WORDS["reason"]),
    ]
    return [
        checks.Error(
            f"No {what} {value}.", hint=f"{table}: {type(value).__name__}.{value.name}: …,", id="accounts.E008"
        )
        for what, value, table in missing
    ]


@checks.register(checks.Tags.compatibility, deploy=True)
def a_recovery_account_can_be_had(**_: object) -> list[checks.CheckMessage]:
    """Without one nobody can turn Cloud Backup on; the page says so."""
    if roles.any_configured():
        return []
    said = "This server has no recovery provider: nobody can turn Cloud Backup on."
    return [checks.Warning(said, hint="ROLE_MICROSOFT_CLIENT_ID=…", id="accounts.W009")]


@checks.register(checks.Tags.security)
def fresh_sign_ins_are_proved(**_: object) -> list[checks.CheckMessage]:
    """Where asking is enough, a browser that is still signed in at the provider is taken for its owner."""
    return [
        checks.Warning(
            f"Role {role}: a fresh sign-in is asked for and not proved.",
            hint=f"Unset ROLE_{role.name}_FRESHNESS where {roles.way(role).name} gives auth_time.",
            id="accounts.W010",
        )
        for role in roles.Role
        if roles.configured(role) and roles.way(role).freshness is roles.Freshness.ASKED
    ]


@checks.register(checks.Tags.security)
def former_issuers_are_nobodys_now(**_: object) -> list[checks.CheckMessage]:
    """Where one still vouches for somebody, whoever has the same id at another provider would find their backups."""
    now = {roles.way(role).issuer: role for role in roles.Role if roles.configured(role)}
    return [
        checks.Error(
            f"Role {role}: {former} is no former issuer, it is that of {now[former]}.",
            hint=f"Take it out of ROLE_{role.name}_FORMER_ISSUERS.",
            id="accounts.E011",
        )
        for role in roles.Role
        if roles.configured(role)
        for former in roles.way(role).former
        if former in now
    ]


_HTTPS = "SITE_URL=https://…"
