"""What a test committed is gone after it, and what migrating made is not."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from tests import emptying, factories
from tests.factories import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_table_that_held_something_is_empty(alice_phone: Visitor, bob: Visitor) -> None:
    factories.create_entry(on=alice_phone)
    migrated = Permission.objects.count(), ContentType.objects.count()
    models = [model for model in apps.get_models() if model not in (Permission, ContentType)]
    held = {model._meta.db_table for model in models if model._base_manager.exists()}

    emptied = emptying.empty()

    assert set(emptied) == held
    assert {"accounts_user", "accounts_vault", "accounts_vaultstate", "django_session"} <= held
    assert [model for model in models if model._base_manager.exists()] == []
    assert (Permission.objects.count(), ContentType.objects.count()) == migrated != (0, 0)
