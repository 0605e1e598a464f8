"""What a report of an error may hold: no cookie, no posted value, no local variable, under DEBUG too."""

from __future__ import annotations

import logging
from collections.abc import ItemsView
from types import FrameType, TracebackType
from typing import Any

from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter


class Filter(SafeExceptionReporterFilter):
    """Masks everything a person sent and everything the code held."""

    def is_active(self, request: HttpRequest | None) -> bool:
        """Also under DEBUG: a demo on a screen is seen by others."""
        return True

    def get_safe_request_meta(self, request: HttpRequest | None) -> dict[str, Any]:
        """Method, path and addresses; no header may carry more."""
        if request is None:
            return {}
        kept = ("REQUEST_METHOD", "PATH_INFO", "SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "HTTP_HOST")
        return {key: request.META[key] for key in kept if key in request.META}

    def get_safe_cookies(self, request: HttpRequest | None) -> dict[str, str]:
        """Every cookie masked."""
        return dict.fromkeys(request.COOKIES, self.cleansed_substitute) if request is not None else {}

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, str]:
        """Every posted value masked."""
        return dict.fromkeys(request.POST, self.cleansed_substitute) if request is not None else {}

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, Any]:
        """No local variable."""
        return {}.items()


class Reporter(ExceptionReporter):
    """A report without the query, names of files and texts of exceptions: all of them may quote what a person sent."""

    def get_traceback_data(self) -> dict[str, Any]:
        """Django's data; of exceptions, of their causes too, the kind alone."""
        data = super().get_traceback_data()
        data["exception_value"] = data["exception_notes"] = data["unicode_hint"] = ""
        data["request_GET_items"] = data["filtered_GET_items"] = data["request_FILES_items"] = []
        if data.get("template_info"):
            data["template_info"] = {**data["template_info"], "message": ""}
        data["request_insecure_uri"] = self.request.path if self.request is not None else ""
        for frame in data.get("frames", ()):
            frame["vars"] = []
            if frame["exc_cause"] is not None:
                frame["exc_cause"] = type(frame["exc_cause"]).__name__
        return data


class NoRequest(logging.Filter):
    """Log records without requests, and tracebacks without the exceptions' texts, which may quote what was typed."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, without them."""
        record.__dict__.pop("request", None)
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = _places(record.exc_info[0], record.exc_info[2])
            record.exc_info = None
        return True


def _places(kind: type[BaseException], trace: TracebackType | None) -> str:
    lines = []
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f"  {code.co_filename}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    return "\n".join([*lines, f"{kind.__module__}.{kind.__qualname__}"])
