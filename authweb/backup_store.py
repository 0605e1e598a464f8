"""Where backups lie: BACKUP_STORE and what a bucket needs beside it, as an entry of Django's STORAGES."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from authweb import env

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*)?")
_REGION = re.compile(r"[a-z0-9-]+")


def store(*, default: Path, at_home: bool) -> dict[str, Any]:
    """BACKUP_STORE: a directory, or `s3://bucket` or `s3://bucket/prefix` with the BACKUP_S3_ variables.

    The default directory is made when it is first written to; one that is named must be there, since it may be a disk
    that is not mounted. Raises ImproperlyConfigured, naming the line that is missing or wrong.
    """
    address = env.text("BACKUP_STORE")
    endpoint, region = env.text("BACKUP_S3_ENDPOINT"), env.text("BACKUP_S3_REGION")
    access_key, secret_key = env.text("BACKUP_S3_ACCESS_KEY_ID"), env.secret("BACKUP_S3_SECRET_ACCESS_KEY")
    given = {
        "BACKUP_S3_ENDPOINT": endpoint,
        "BACKUP_S3_REGION": region,
        "BACKUP_S3_ACCESS_KEY_ID": access_key,
        "BACKUP_S3_SECRET_ACCESS_KEY": secret_key,
    }
    if not address.startswith("s3://"):
        idle = [name for name, value in given.items() if value]
        if idle:
            raise ImproperlyConfigured(f"BACKUP_STORE names no bucket, and yet {', '.join(idle)} is set.")
        return _directory(address, default=default)
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix.rstrip("/")):
        raise ImproperlyConfigured(f"BACKUP_STORE={address!r}: write s3://bucket or s3://bucket/prefix.")
    missing = [name for name in ("BACKUP_S3_ACCESS_KEY_ID", "BACKUP_S3_SECRET_ACCESS_KEY") if not given[name]]
    if not endpoint and not region:
        missing.insert(0, "BACKUP_S3_REGION or BACKUP_S3_ENDPOINT")
    if missing:
        raise ImproperlyConfigured(f"The bucket of BACKUP_STORE is half configured: set {', '.join(missing)}.")
    if region and not _REGION.fullmatch(region):
        raise ImproperlyConfigured(f"BACKUP_S3_REGION={region!r}: write the region's name, as in eu-central-1.")
    return {
        "BACKEND": "backups.storage_s3.S3Store",
        "OPTIONS": {
            "bucket": bucket,
            "prefix": prefix.rstrip("/"),
            "endpoint": _endpoint(endpoint, at_home=at_home) if endpoint else None,
            "region": region or "us-east-1",  # What services that know no regions are asked with.
            "access_key": access_key,
            "secret_key": secret_key,
        },
    }


def _directory(address: str, *, default: Path) -> dict[str, Any]:
    if address and not Path(address).is_absolute():
        raise ImproperlyConfigured(
            f"BACKUP_STORE={address!r}: write the whole path of a directory, as in /srv/backups, or s3://bucket."
        )
    return {
        "BACKEND": "backups.storage.DirectoryStore",
        "OPTIONS": {"location": address or str(default), "make": not address},
    }


def _endpoint(endpoint: str, *, at_home: bool) -> str:
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError:
        raise ImproperlyConfigured("BACKUP_S3_ENDPOINT is no address.") from None
    if not parts.hostname or parts.username or parts.password or parts.path not in ("", "/") or parts.query:
        raise ImproperlyConfigured(f"BACKUP_S3_ENDPOINT: write the service's address, as in {_EXAMPLE}.")
    on_this_machine = at_home and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and on_this_machine):
        raise ImproperlyConfigured(f"BACKUP_S3_ENDPOINT={endpoint!r}: https is required.")
    return endpoint.rstrip("/")


_EXAMPLE = "https://s3.example.org"
