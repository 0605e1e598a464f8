"""The pages of a person's devices, list and settings."""

from __future__ import annotations

from django.urls import path, register_converter

from accounts.converters import EntryId
from accounts.views import (
    accounts,
    adding,
    approvals,
    deletion,
    devices,
    doors,
    identity,
    keys,
    looks,
    passkeys,
    settings,
    sign_in,
    words,
)

register_converter(EntryId, "entry")

app_name = "accounts"
urlpatterns = [
    # First what open pages ask for by themselves, as often as all else together: addresses are tried one by one.
    path("accounts/look/", looks.look, name="look"),
    path("accounts/codes/", accounts.codes, name="codes"),
    path("start/", devices.start, name="start"),
    path("open/", doors.open_list, name="open"),
    path("open/name/", doors.name, name="open-name"),
    path("open/approve/", approvals.ask, name="open-approve"),
    path("open/waiting/", approvals.waiting, name="open-waiting"),
    path("open/words/", words.open_list, name="open-words"),
    path("open/passkey/", passkeys.open_list, name="open-passkey"),
    path("open/separate/", doors.separate, name="separate"),
    path("devices/", devices.index, name="devices"),
    path("devices/requests/<uuid:request_id>/", approvals.answer, name="request"),
    path("devices/<uuid:device_id>/rename/", devices.rename, name="device-rename"),
    path("devices/<uuid:device_id>/remove/", devices.remove, name="device-remove"),
    path("devices/<uuid:device_id>/undo/", devices.undo, name="device-undo"),
    path("keys/", keys.index, name="keys"),
    path("keys/start/", keys.way_back, name="way-back"),
    path("keys/words/", words.new, name="words-new"),
    path("keys/words/own/", words.own, name="words-own"),
    path("keys/words/<uuid:draft_id>/", words.confirm, name="words-confirm"),
    path("keys/passkey/", passkeys.new, name="passkey-new"),
    path("keys/<uuid:slot_id>/remove/", keys.remove, name="key-remove"),
    path("accounts/", accounts.index, name="list"),
    path("accounts/order/", accounts.order, name="order"),
    path("accounts/undo/<int:version>/", accounts.undo, name="undo"),
    path("accounts/mend/", accounts.mend, name="mend"),
    path("accounts/trash/", accounts.trash, name="trash"),
    path("accounts/trash/<entry:entry_id>/back/", accounts.put_back, name="put-back"),
    path("accounts/trash/<entry:entry_id>/delete/", accounts.delete, name="delete"),
    path("accounts/add/", adding.choose, name="add"),
    path("accounts/add/other/", adding.other, name="add-other"),
    path("accounts/add/picture/", adding.picture, name="add-picture"),
    path("accounts/add/link/", adding.link, name="add-link"),
    path("accounts/add/hand/", adding.hand, name="add-hand"),
    path("accounts/add/<uuid:draft_id>/", adding.confirm, name="add-confirm"),
    path("accounts/<entry:entry_id>/", accounts.account, name="account"),
    path("accounts/<entry:entry_id>/edit/", accounts.edit, name="edit"),
    path("accounts/<entry:entry_id>/pin/", accounts.pin, name="pin"),
    path("accounts/<entry:entry_id>/trash/", accounts.trash_entry, name="to-trash"),
    path("accounts/<entry:entry_id>/next/", accounts.next_code, name="next-code"),
    path("proofs/lost/", identity.proof_lost, name="proof-lost"),
    path("proofs/<uuid:proof_id>/", identity.proof, name="proof"),
    path("settings/", settings.index, name="settings"),
    path("settings/codes/", settings.codes, name="settings-codes"),
    path("settings/appearance/", settings.appearance, name="settings-appearance"),
    path("settings/time-zone/", settings.time_zone, name="settings-time-zone"),
    path("settings/sign-in/", sign_in.index, name="settings-sign-in"),
    path("settings/delete/", deletion.delete, name="delete-account"),
    path("settings/delete/undo/", deletion.undo, name="delete-account-undo"),
    path("notices/seen/", looks.seen, name="notices-seen"),
    path("activity/", settings.activity, name="activity"),
    path("activity/activity.csv", settings.activity_csv, name="activity-csv"),
]
