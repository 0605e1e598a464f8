"""What a first visit of the list costs a browser: what comes over the wire, and whether anything moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser

from tests.served import Served

# What moved without a tap, by how much; collected from the first moment on.
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    window.shifts.push([entry.value, ...entry.sources.map(({ node }) => node && (node.className || node.nodeName))]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
# What else a browser with a window asks for: the icon of the tab and the manifest.
_REST = """
async () => {
  const asked = new Set(performance.getEntriesByType("resource").map((entry) => entry.name));
  for (const link of document.querySelectorAll("link[rel=icon], link[rel=manifest]")) {
    if (!asked.has(link.href)) await (await fetch(link.href)).arrayBuffer();
  }
}
"""
_OVER_A_BOUNDARY = 6_000  # Milliseconds, with an account of five seconds in the list.


@dataclass(frozen=True, slots=True)
class Visit:
    """Bytes over the wire, headers included; the files by their bytes; what moved."""

    files: dict[str, int]
    shifts: list[Any]

    @property
    def size(self) -> int:
        """All bytes."""
        return sum(self.files.values())


def first(browser: Browser, served: Served, *, width: int) -> Visit:
    """Alice's list in a browser that has never been there."""
    context = browser.new_context(base_url=served.address, viewport={"width": width, "height": 800})
    served.sign_in(context)
    context.add_init_script(SHIFTS)
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    asked: dict[str, str] = {}
    files: dict[str, int] = {}
    network.on("Network.requestWillBeSent", lambda event: asked.update({event["requestId"]: event["request"]["url"]}))
    network.on(
        "Network.loadingFinished",
        lambda event: files.update({asked[event["requestId"]]: int(event["encodedDataLength"])}),
    )
    page.goto("/accounts/", wait_until="networkidle")
    page.evaluate(_REST)
    page.wait_for_timeout(_OVER_A_BOUNDARY)
    # The next codes, if just now is when a list asks for them, are a refresh and not the visit.
    visit = Visit(
        {path: size for path, size in files.items() if "/codes/?" not in path}, page.evaluate("window.shifts")
    )
    context.close()
    return visit
