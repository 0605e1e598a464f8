from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_restores"),
        ("backups", "0005_when_it_was_deleted"),
    ]

    operations = [
        migrations.AddField(
            model_name="backup",
            name="passes_to",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="earlier_backups",
                to="accounts.vault",
            ),
        ),
        migrations.AddField(model_name="backup", name="unopened", field=models.BooleanField(default=False)),
        migrations.AddConstraint(
            model_name="backup",
            constraint=models.UniqueConstraint(
                condition=models.Q(("stream", ""), _negated=True), fields=("stream",), name="backup_stream_has_one_row"
            ),
        ),
    ]
