"""The pages of Cloud Backup."""

from __future__ import annotations

from django.urls import path

from backups.views import endings, fates, iphone, restore, status, switch

app_name = "backups"
urlpatterns = [
    path("", status.index, name="status"),
    path("check/", status.check, name="check"),
    path("back-up/", status.back_up, name="back-up"),
    path("accept/", status.accept, name="accept"),
    path("undo/", status.undo, name="undo"),
    path("problem/<slug:reference>/", status.problem, name="problem"),
    path("on/", switch.on, name="on"),
    path("on/iphone/", iphone.walk, name="iphone"),
    path("on/done/", switch.done, name="done"),
    path("on/under-way/", switch.under_way, name="under-way"),
    path("account/", switch.account, name="account"),
    path("sign-in/", switch.sign_in, name="sign-in"),
    path("protection/", endings.protection, name="protection"),
    path("off/", endings.off, name="off"),
    path("delete/", endings.delete, name="delete"),
    path("delete/sign-in/", endings.sign_in_to_delete, name="delete-sign-in"),
    path("older/", endings.older, name="older"),
    path("restore/", restore.start, name="restore"),
    path("restore/sign-in/", restore.sign_in, name="restore-sign-in"),
    path("restore/choose/", restore.choose, name="restore-choose"),
    path("restore/passkey/", restore.passkey, name="restore-passkey"),
    path("restore/<uuid:held_id>/", fates.preview, name="restore-preview"),
    path("restore/report/<uuid:report_id>/", fates.report, name="restore-report"),
]
