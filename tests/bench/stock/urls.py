"""One page that says nothing to whoever is signed in, beside allauth's own."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


@login_required
def empty(request: HttpRequest) -> HttpResponse:
    """Nothing, to a person."""
    return HttpResponse()


urlpatterns = [path("empty/", empty), path("accounts/", include("allauth.urls"))]
