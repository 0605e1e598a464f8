"""The addresses of each of the three issuers. Authorization stands before allauth's own, which it goes around."""

from __future__ import annotations

from allauth.account.views import LoginView
from allauth.mfa.base.views import AuthenticateView
from django.urls import include, path

from authweb.demo.provider import views

urlpatterns = [
    path("", views.home, name="home"),
    path("style.css", views.style, name="style"),
    path("sign-in/", LoginView.as_view(template_name="provider/sign_in.html"), name="account_login"),
    path("sign-in/code/", AuthenticateView.as_view(template_name="provider/code.html"), name="mfa_authenticate"),
    path("cancel/", views.cancel, name="cancel"),
    path("sign-out/", views.sign_out, name="account_logout"),
    path("identity/o/authorize", views.authorize),
    path("<str:tenant>/v2.0/.well-known/openid-configuration", views.configuration),
    path("", include("allauth.idp.urls")),
]
