"""Addresses of stores and mail, as Django's settings: DATABASE_URL, CACHE_URL, EMAIL_URL."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def database(url: str, *, default: Path) -> dict[str, Any]:
    """DATABASE_URL: empty or `sqlite:///path`, or `postgres://user:password@host:port/name`.

    Raises ImproperlyConfigured.
    """
    parts = _split("DATABASE_URL", url)
    if not url or parts.scheme == "sqlite":
        path = unquote(parts.path).removeprefix("/") if url else str(default)
        if not path:
            raise ImproperlyConfigured(
                "DATABASE_URL: write the path of the file, as in sqlite:////srv/authweb.sqlite3."
            )
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": path,
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                # `select_for_update` does nothing here: a transaction takes the write lock when it begins.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # secure_delete: what is shredded is overwritten in the file.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
                "PRAGMA foreign_keys=ON;",
            },
        }
    if parts.scheme in ("postgres", "postgresql"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.removeprefix("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or "") or dict(parse_qsl(parts.query)).get("host", ""),
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {key: value for key, value in parse_qsl(parts.query) if key != "host"},
        }
    raise ImproperlyConfigured(f"DATABASE_URL: {parts.scheme}:// is not known; sqlite:// and postgres:// are.")


def refuses_to_write(error: BaseException | None) -> bool:
    """Whether this came about because the database took nothing: it is read-only, full or locked by others.

    Then nothing of the request was kept. Of a connection that broke nobody knows that, so it is not among these.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        sqlite, postgres = getattr(error, "sqlite_errorname", None) or "", getattr(error, "sqlstate", None) or ""
        if sqlite.startswith(_SQLITE_REFUSES) or postgres in _POSTGRES_REFUSES:
            return True
        error = error.__cause__ or error.__context__
    return False


_SQLITE_REFUSES = ("SQLITE_READONLY", "SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_IOERR")
# read_only_sql_transaction, disk_full, out_of_memory, too_many_connections, lock_not_available, cannot_connect_now
_POSTGRES_REFUSES = frozenset({"25006", "53100", "53200", "53300", "55P03", "57P03"})


def cache(url: str) -> dict[str, Any]:
    """CACHE_URL: empty for a table of the database, or `redis://host:port/0`. Raises ImproperlyConfigured."""
    if not url:
        return {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
            "KEY_FUNCTION": "authweb.databases.cache_key",
            # With the default of 300 a flood of addresses pushes out the counters that hold it back.
            "OPTIONS": {"MAX_ENTRIES": 100_000, "CULL_FREQUENCY": 10},
        }
    if _split("CACHE_URL", url).scheme in ("redis", "rediss"):
        return {"BACKEND": _REDIS, "LOCATION": url, "KEY_FUNCTION": "authweb.databases.cache_key"}
    raise ImproperlyConfigured("CACHE_URL: write redis://host:port/0, or leave it empty.")


_REDIS = "django.core.cache.backends.redis.RedisCache"


def cache_key(key: str, prefix: str, version: int) -> str:
    """The name under which something is kept. allauth notes each token by its issuer: of those a digest is enough."""
    if key.startswith("jwt:"):
        key = f"jwt:{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()}"
    return f"{prefix}:{version}:{key}"


def mail(url: str) -> dict[str, Any]:
    """EMAIL_URL: `smtp://user:password@host:587`, `smtps://…:465`, `console://`, `file:///folder`.

    `smtp` speaks STARTTLS unless `?tls=off`; `smtps` speaks TLS from the start. Raises ImproperlyConfigured.
    """
    parts = _split("EMAIL_URL", url)
    if not url:
        raise ImproperlyConfigured("EMAIL_URL: write smtp://user:password@host:587; nobody can sign up without mail.")
    if parts.scheme in ("smtp", "smtps"):
        options = dict(parse_qsl(parts.query))
        if set(options) - {"tls"} or options.get("tls", "on") not in ("on", "off"):
            raise ImproperlyConfigured("EMAIL_URL: the only option is tls=off.")
        direct = parts.scheme == "smtps"
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": unquote(parts.hostname or ""),
            "EMAIL_PORT": parts.port or (465 if direct else 587),
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_SSL": direct,
            "EMAIL_USE_TLS": not direct and options.get("tls") != "off",
            "EMAIL_TIMEOUT": 10,
        }
    if parts.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if parts.scheme == "file":
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": unquote(parts.path),
        }
    raise ImproperlyConfigured(f"EMAIL_URL: {parts.scheme}:// is not known; smtp, smtps, console and file are.")


def _split(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name} is no address.") from None
    return parts
