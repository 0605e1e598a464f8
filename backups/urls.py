"""Where Cloud Backup answers."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import path

app_name = "backups"

urlpatterns = [path("", lambda request: HttpResponse("STUB"), name="status")]
