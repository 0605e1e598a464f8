"""A recovery account remembers when a backup that lay there was deleted."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("backups", "0004_restore_tried")]

    operations = [
        migrations.AddField(model_name="recoveryaccount", name="deleted_at", field=models.DateTimeField(null=True)),
    ]
