"""Where everything answers."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from authweb import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.welcome, name="welcome"),
    path("healthz", views.healthz, name="healthz"),
    path("manifest/<str:language>.webmanifest", views.manifest, name="manifest"),
    path("offline/<str:language>/", views.offline, name="offline"),
    path("worker.js", views.worker, name="worker"),  # At the root: a worker answers for what lies below its address.
    path("help/", views.help_index, name="help"),
    path("help/<slug:topic>/", views.help_page, name="help-page"),
    path("sign-in/", include("accounts.sign_in_urls")),
    path("", include("accounts.urls")),
    path("backups/", include("backups.urls")),
    path("admin/", admin.site.urls),
]

if settings.DEMO:
    urlpatterns.append(path("demo/", include("authweb.demo.urls")))

handler400 = "authweb.views.bad_request"
handler403 = "authweb.views.forbidden"
handler404 = "authweb.views.not_found"
handler500 = "authweb.views.server_error"
