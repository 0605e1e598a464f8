from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The log at its most talkative, and what would be said to the terminal."""
    root, said = logging.getLogger(), io.StringIO()
    handler, level = logging.StreamHandler(said), root.level
    handler.setFormatter(logging.Formatter("%(message)s %(args)s %(pathname)s"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield said
    root.setLevel(level)
    root.removeHandler(handler)
