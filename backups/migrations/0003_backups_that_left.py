"""A backup that ends leaves its list first; and nobody is forgotten while something of theirs may lie in the store."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("backups", "0002_people_in_the_administration"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(model_name="backup", name="left_at", field=models.DateTimeField(null=True)),
        migrations.AlterField(
            model_name="backup",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="backups",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
    ]
