"""The administration's view of a person's backups: a name for it, and who may look. No table."""

from __future__ import annotations

from django.db import migrations

import accounts.models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_every_browser"), ("backups", "0001_cloud_backup")]

    operations = [
        migrations.CreateModel(
            name="Person",
            fields=[],
            options={
                "verbose_name": "backup of a person",
                "verbose_name_plural": "backups of people",
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("accounts.user",),
            managers=[("objects", accounts.models.UserManager())],
        ),
    ]
