"""Everything a database holds, as text: what is searched for a secret must be all of it."""

from __future__ import annotations

import json

from django.apps import apps
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session


def everything() -> str:
    """Each value of each row; sessions decoded."""
    rows = [row for model in apps.get_models(include_auto_created=True) for row in model._base_manager.values_list()]
    sessions = [SessionStore().decode(row.session_data) for row in Session.objects.all()]
    return json.dumps([rows, sessions], default=_text, ensure_ascii=False)


def _text(value: object) -> str:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)
