"""`make test-postgres`: a PostgreSQL of one's own on loopback, the tests on it, and nothing of it afterwards.

Runs what is in tests/postgres and, once more, all tests of the app that ask a database.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.environment import DATABASE, ROOT
from tests.postgres import cluster

TESTS = (
    "tests/postgres",
    "tests/accounts",
    "tests/backups",
    "--ignore=tests/accounts/vault",
    "--ignore=tests/backups/test_fuzz.py",
)


def main(arguments: list[str]) -> int:
    """2 where a program is missing, else what pytest returns."""
    try:
        cluster.require("redis-server", "redis-server")
        with cluster.started() as address:
            environment = {**os.environ, DATABASE: address}
            command = [sys.executable, "-m", "pytest", *(arguments or TESTS)]
            return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    except cluster.Missing as missing:
        print(missing, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
