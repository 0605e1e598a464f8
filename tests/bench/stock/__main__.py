"""The stock project in a process of its own. For each line that comes in, as in `40 stock`, it asks itself so often,
and says how many seconds of CPU that took. `40 kept` is the same with the database's connection kept between requests,
which Django's defaults do not. Started by `tests.bench.stock_process`.
"""

from __future__ import annotations

import sys

import django

django.setup()

from django.conf import settings  # noqa: E402 - after django.setup
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from tests.asking import Asker  # noqa: E402
from tests.bench.timing import seconds_of  # noqa: E402


def main() -> None:
    """One person signed in, then one answer a line."""
    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_user("alice"), backend=settings.AUTHENTICATION_BACKENDS[0])
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    asker = Asker(get_wsgi_application(), host="stock.example", cookies=cookies)
    print("ready", flush=True)
    for line in sys.stdin:
        count, how = int(line.split()[0]), line.split()[1]
        connection.settings_dict["CONN_MAX_AGE"] = None if how == "kept" else 0
        connection.close()
        took = seconds_of(lambda count=count: [asker.get("/empty/") for _ in range(count)])
        print(took, flush=True)


if __name__ == "__main__":
    main()
