"""axe-core at a page: which rules of WCAG 2.2 AA and of good practice it breaks, as a reader would see it.

It is evaluated by the browser's own protocol, which no content policy concerns: the page's stays on.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from playwright.sync_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# What light or dark can change.
OF_COLOUR = ("color-contrast", "link-in-text-block")

_SOURCE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
_RUN = """(options) => axe.run(document, {...options, resultTypes: ["violations"]}).then((found) =>
    found.violations.flatMap((one) => one.nodes.map((node) =>
        `${one.id}: ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`)))"""
# Colours that pass into one another have arrived.
_SETTLE = "document.getAnimations().forEach((one) => one.finish())"
# What is folded away is there for whoever unfolds it.
_UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


def violations(page: Page, *, colours_alone: bool = False) -> list[str]:
    """What axe finds at the page as it is shown now: rule, place, and what to do."""
    options: dict[str, Any]
    if colours_alone:
        options = {"runOnly": {"type": "rule", "values": list(OF_COLOUR)}}
    else:
        # Its own default leaves this one out: a target smaller than 24 px.
        options = {"runOnly": {"type": "tag", "values": list(TAGS)}, "rules": {"target-size": {"enabled": True}}}
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(_UNFOLD)
        page.evaluate(_SOURCE)
    # Sheets that are imported it would copy into the page, which the policy forbids, for a rule that is not run.
    options["preload"] = False
    page.evaluate(_SETTLE)
    return list(page.evaluate(_RUN, options))
