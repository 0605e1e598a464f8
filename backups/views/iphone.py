"""What comes first on an iPhone: its switches, as a list to walk through."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.http import VaultRequest, changing, fresh_sign_in, go, page, vault_required
from backups import dated_lines
from backups.dated_lines import Change
from backups.forms import IPhoneForm
from backups.services import answers, finding
from backups.services.answers import Question
from backups.views.switch import MOVE, ON


@require_http_methods(["GET", "POST"])
@vault_required
@changing
@fresh_sign_in
def walk(request: VaultRequest) -> HttpResponse:
    """The switches of an iPhone, as a list to walk through; three of them are asked for."""
    at = timezone.now()
    asked = answers.asked(request.vault.device.type, at=at)
    way = MOVE if request.GET.get("then") == MOVE.onward else ON
    if not asked:
        return go(request, way.url)
    backup = finding.of(request.vault.row)
    given = backup.switches if backup is not None else {}
    initial = {question: answer for question, (answer, _when) in given.items()}
    form = IPhoneForm(
        request.POST if request.method == "POST" else None,
        initial=initial,
        with_keychain=Question.KEYCHAIN in asked,
    )
    if request.method == "POST" and form.is_valid():
        answers.keep(request.vault, form.answers(), at=at)
        return go(request, way.url)
    context = {
        "form": form,
        "way": way,
        "line": dated_lines.told(Change.ICLOUD, at=at),
        "step": 1,
        "bars": range(1, 5),
        "last_step": 4,
    }
    return page(request, "backups/on_iphone.html", context)
