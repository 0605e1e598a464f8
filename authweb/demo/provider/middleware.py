"""One process, three issuers: which of them is asked, and that nobody is signed in at two by one sign-in."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse

from authweb.demo.provider import issuers, people
from authweb.demo.provider.issuers import Issuer

Next = Callable[[HttpRequest], HttpResponse]


class IssuerRequest(HttpRequest):
    """A request after `OneIssuer`: it knows whom it asks."""

    issuer: Issuer


class OneIssuer:
    """Name the issuer by the port that was reached, and keep the session of each port apart.

    Browsers send the cookies of one port to all of a host: here each is known by the name of its port.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: IssuerRequest) -> HttpResponse:
        """Go on with one session cookie, this port's."""
        port = int(request.META["SERVER_PORT"])
        request.issuer = issuers.at(port, settings.PORT)
        name, known_as = settings.SESSION_COOKIE_NAME, f"session-{port}"
        request.COOKIES.pop(name, None)
        if known_as in request.COOKIES:
            request.COOKIES[name] = request.COOKIES[known_as]
        response = self.get_response(request)
        if name in response.cookies:
            morsel = response.cookies.pop(name)
            morsel.set(known_as, morsel.value, morsel.coded_value)
            response.cookies[known_as] = morsel
        return response


class OwnPeople:
    """Sign out whoever is not of this issuer: a session of another port, carried over, is worth nothing here."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: IssuerRequest) -> HttpResponse:
        """Go on with somebody of ours, or with nobody."""
        if request.user.is_authenticated and people.find(request.issuer, email=request.user.email) is None:
            logout(request)
        return self.get_response(request)
