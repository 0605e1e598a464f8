"""A backup remembers when a restore of it was tried."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("backups", "0003_backups_that_left")]

    operations = [
        migrations.AddField(
            model_name="backup",
            name="restore_tried_at",
            field=models.DateTimeField(null=True, verbose_name="restore last tried"),
        ),
    ]
