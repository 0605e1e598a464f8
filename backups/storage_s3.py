"""Backups in a bucket that speaks S3. Loaded only where BACKUP_STORE names one: boto3 takes its time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import boto3.session
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError, ResponseStreamingError
from botocore.exceptions import ConnectionError as NotConnected
from botocore.parsers import ResponseParserError
from storages.backends.s3 import S3Storage

from backups.storage import (
    LARGEST,
    Cause,
    NameTaken,
    NotStored,
    StoreFailed,
    WriteOnce,
    checked_data,
    checked_name,
    checked_prefix,
    is_name,
)

_READY = ".ready"  # No name begins with a dot.
_FULL = {"EntityTooLarge", "InsufficientStorage", "QuotaExceeded", "StorageFull", "XMinioStorageFull"}
_AWAY = (NotConnected, HTTPClientError, IncompleteReadError, ResponseStreamingError)
_BETWEEN = 0.2  # Seconds.


class S3Store(WriteOnce, S3Storage):
    """A bucket, or the part of one below a prefix. Written by `If-None-Match: *` alone, which the service must know.

    Each request ends within `connect` and `read` seconds. A write is asked for once, since its outcome is not known
    where the answer is lost and whoever called asks again later; what only reads is asked twice. Of the environment
    and of files for other programs of this machine nothing is taken: no keys, no profile, no address.
    """

    def __init__(
        self,
        *,
        bucket: str,
        access_key: str,
        secret_key: str,
        prefix: str = "",
        endpoint: str | None = None,
        region: str | None = None,
        connect: float = 2.0,
        read: float = 4.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._prefix = f"{prefix}/" if prefix else ""
        super().__init__(
            bucket_name=bucket,
            access_key=access_key,
            secret_key=secret_key,
            security_token=None,
            session_profile=None,
            endpoint_url=endpoint,
            region_name=region,
            location="",  # Names are whole here: what is asked for is what is checked.
            file_overwrite=False,
            client_config=Config(
                connect_timeout=connect,
                read_timeout=read,
                retries={"mode": "standard", "total_max_attempts": 1},
                signature_version="s3v4",
                # Services beside Amazon's know buckets in the path; the bytes are signed, so that none is kept changed.
                s3={"addressing_style": "path" if endpoint else "virtual", "payload_signing_enabled": True},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                ignore_configured_endpoint_urls=True,
                use_dualstack_endpoint=False,
                use_fips_endpoint=False,
            ),
        )

    def create(self, name: str, data: bytes) -> None:
        """As promised by WriteOnce."""
        key = self._key(name)
        checked_data(data)
        with _named_failures():
            try:
                self._put(key, data)
            except ClientError as error:
                if _status(error) != HTTPStatus.CONFLICT:
                    raise
                # Another one writes this name just now. Once it is done, the answer is another.
                self._pause(_BETWEEN)
                self._put(key, data)

    def fetch(self, name: str) -> bytes:
        """As promised by WriteOnce."""
        key = self._key(name)

        def fetched() -> bytes:
            parts: list[bytes] = []
            most = LARGEST + 1
            with contextlib.closing(self._client.get_object(Bucket=self.bucket_name, Key=key)["Body"]) as body:
                while most and (part := body.read(most)):  # Only a read that finds the end tells whether it was cut.
                    parts.append(part)
                    most -= len(part)
            return b"".join(parts)

        with _named_failures():
            return self._asked(fetched)

    def remove(self, name: str) -> bool:
        """As promised by WriteOnce. Where the bucket keeps versions, the service keeps this one as it is told to."""
        if not self.exists(name):
            return False
        with _named_failures():
            self._client.delete_object(Bucket=self.bucket_name, Key=self._key(name))
        return True

    def exists(self, name: str) -> bool:
        """Whether something lies under a name. Raises StoreFailed."""
        key = self._key(name)
        # The answer to a HEAD could not tell a missing name from a missing bucket.
        asked = {"Bucket": self.bucket_name, "Prefix": key, "MaxKeys": 1}
        with _named_failures():
            page = self._asked(partial(self._client.list_objects_v2, **asked))
        return any(found["Key"] == key for found in page.get("Contents", ()))

    def names(self, prefix: str = "") -> Iterator[str]:
        """As promised by WriteOnce."""
        asked = {"Bucket": self.bucket_name, "Prefix": self._prefix + checked_prefix(prefix)}
        more: dict[str, str] = {}
        while True:
            with _named_failures():
                page = self._asked(partial(self._client.list_objects_v2, **asked, **more))
            for found in page.get("Contents", ()):
                name = found["Key"].removeprefix(self._prefix)
                if is_name(name):
                    yield name
            if not page.get("NextContinuationToken"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def ready(self) -> None:
        """As promised by WriteOnce: asks to create what has been there since the first time, which must be refused."""
        with _named_failures(), contextlib.suppress(NameTaken):
            self._put(self._prefix + _READY, b"")

    def sweep(self, before: datetime) -> int:
        """Nothing: an object is there whole or not at all."""
        return 0

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

    def _create_session(self) -> Any:
        untold = (None, None, None, None)
        nowhere = (None, None, os.devnull, None)
        session = botocore.session.Session(
            session_vars={"profile": untold, "config_file": nowhere, "credentials_file": nowhere}
        )
        session.set_credentials(self.access_key, self.secret_key)
        return boto3.session.Session(botocore_session=session, region_name=self.region_name)

    def _key(self, name: str) -> str:
        return self._prefix + checked_name(name)

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._client.put_object(
                Bucket=self.bucket_name, Key=key, Body=data, IfNoneMatch="*", ContentType="application/octet-stream"
            )
        except ClientError as error:
            if _status(error) == HTTPStatus.PRECONDITION_FAILED:
                raise NameTaken from None
            raise

    def _asked(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except _AWAY:
            pass
        except ClientError as error:
            if _status(error) < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
        self._pause(_BETWEEN)
        return read()


@contextlib.contextmanager
def _named_failures() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code, status = str(error.response.get("Error", {}).get("Code", "")), _status(error)
        if code == "NoSuchKey":  # Any other 404 is a bucket or a service that is missing.
            raise NotStored from None
        raise StoreFailed(_cause(code, status), f"{status} {code}".strip()) from error
    except _AWAY as error:
        raise StoreFailed(Cause.UNREACHABLE, type(error).__name__) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise StoreFailed(Cause.UNKNOWN, type(error).__name__) from error


def _cause(code: str, status: int) -> Cause:
    if code in _FULL or status == HTTPStatus.INSUFFICIENT_STORAGE:
        return Cause.FULL
    if status == HTTPStatus.NOT_FOUND or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Cause.UNREACHABLE
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED):
        return Cause.REFUSED
    return Cause.UNKNOWN


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
