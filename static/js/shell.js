// On every page: a form is sent once however often it is clicked, and its button says what is waited for where that
// takes over a second ([data-wait]); the browser tells its time zone once, and keeps a page for where nothing is reached.
(() => {
  "use strict";
  const sent = new WeakMap();
  const said = new Map(); // What the buttons said before.
  const say = (button) => {
    said.set(button, button.textContent);
    button.setAttribute("aria-live", "polite");
    button.textContent = button.dataset.wait;
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const before = sent.get(form);
    if (before && performance.now() - before < 5000) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    const button = event.submitter;
    const waits = button && button.dataset.wait;
    if (form.hasAttribute("hx-post") && waits) {
      const timer = setTimeout(say, 1000, button);
      form.addEventListener("htmx:afterRequest", () => {
        clearTimeout(timer);
        if (said.has(button)) button.textContent = said.get(button);
      }, { once: true });
    }
    if (event.defaultPrevented || form.hasAttribute("hx-post")) return;
    sent.set(form, performance.now());
    if (waits) setTimeout(say, 1000, button);
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll("form").forEach((form) => sent.delete(form));
    said.forEach((label, button) => { button.textContent = label; });
  });

  const zone = document.querySelector("form[data-time-zone]");
  if (zone) {
    zone.elements.time_zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
    fetch(zone.action, { method: "POST", body: new FormData(zone) }).catch(() => {});
  }
  // Beside the list, the row of the open account is in sight.
  document.querySelector(".row-open")?.scrollIntoView({ block: "nearest" });

  // Asked for again within an hour, it comes from the browser's own store.
  addEventListener("load", () => {
    navigator.serviceWorker?.register("/worker.js", { updateViaCache: "all" }).catch(() => {});
  });

  const summary = document.querySelector(".errors");
  if (summary) summary.focus();
})();
