"""Pages that only the demo has."""

from __future__ import annotations

from django.urls import path

from authweb.demo import mail

app_name = "demo"
urlpatterns = [
    path("mail/", mail.mails, name="mails"),
    path("mail/<str:name>/", mail.mail, name="mail"),
]
