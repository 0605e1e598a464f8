"""A page by keyboard alone: which controls Tab does not reach, and which do not show that they have the focus."""

from __future__ import annotations

from playwright.sync_api import Page

MOST = 300

# The outline is of the control, of its label, or of the row that it leads to; WCAG 2.2, 2.1.1 and 2.4.7.
OUTLINED = """(control) => [[control], [control.closest("label")], [control.closest(".row"), "::after"]].some(
  ([one, part]) => {
    const style = one && getComputedStyle(one, part);
    return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  }
)"""
_BEGIN = f"""() => {{
  const outlined = {OUTLINED};
  const of = (control) => control.type === "radio" ? [...document.getElementsByName(control.name)] : [control];
  const called = (one) => `${{one.tagName}} ${{one.name || one.getAttribute("href") || one.textContent.trim()}}`;
  window.unseen = new Set();
  window.waiting = new Set([...document.querySelectorAll("a[href], button, input, select, textarea, summary")].filter(
    (one) => one.type !== "hidden" && !one.disabled && one.tabIndex >= 0
      && one.checkVisibility({{visibilityProperty: true}})
  ));
  document.addEventListener("focusin", ({{target}}) => {{
    of(target).forEach((one) => waiting.delete(one));
    if (!outlined(target)) unseen.add(called(target));
  }});
  window.left = () => [...[...waiting].map((one) => `not reached: ${{called(one)}}`),
    ...[...unseen].map((one) => `without outline: ${{one}}`)];
  return waiting.size;
}}"""


def faults(page: Page) -> list[str]:
    """What keeps somebody without a mouse from a control of this page, or from seeing where they are."""
    count = page.evaluate(_BEGIN)
    page.evaluate("document.activeElement.blur()")
    for _ in range(min(count + 5, MOST)):
        page.keyboard.press("Tab")
    return list(page.evaluate("left()"))
