"""Pictures stay in memory, and no larger than they may be."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadhandler import MemoryFileUploadHandler, StopUpload
from django.http import HttpRequest

MOST_BYTES = 40 * 1024 * 1024  # Of one request; each picture has a limit of its own.


class SmallMemoryUploads(MemoryFileUploadHandler):
    """Keeps uploads in memory; nothing that may hold a secret key reaches the disk."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        """Take what fits."""
        self.activated = True
        self._left = MOST_BYTES

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Count; beyond the limit the rest of the request is read and dropped."""
        self._left -= len(raw_data)
        if self._left < 0:
            raise StopUpload(connection_reset=False)
        return super().receive_data_chunk(raw_data, start)


def too_many_bytes(request: HttpRequest) -> bool:
    """Whether files of this request were dropped because all of it was too large."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return length.isdecimal() and int(length) > MOST_BYTES
