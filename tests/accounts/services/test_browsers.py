from __future__ import annotations

import pytest

from accounts.services import browsers


@pytest.mark.parametrize(
    ("agent", "name", "type"),
    [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Safari/604.1",
            "Safari on iPhone",
            "ios",
        ),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/130.0 Mobile Safari/537.36", "Chrome on Pixel 9", "android"),
        ("Mozilla/5.0 (Linux; Android 10; K) Chrome/130.0 Mobile Safari/537.36", "Chrome on Android", "android"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
            "Firefox on Windows",
            "computer",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Safari on Mac", "computer"),
        ("curl/8.0", "", None),
        ("x" * 100_000, "", None),
    ],
)
def test_browser_is_detected_by_what_it_says(agent: str, name: str, type: str | None) -> None:
    assert browsers.detect(agent) == (name, type)
