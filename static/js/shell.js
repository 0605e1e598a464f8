// On every page: a form is sent once however often it is clicked, and says what it waits for where that takes over a
// second ([data-wait]); the browser tells its time zone once.
(() => {
  "use strict";
  const sent = new WeakMap();
  const say = (sentence) => {
    const box = document.createElement("div");
    box.className = "messages waiting";
    box.setAttribute("role", "status");
    const message = document.createElement("div");
    message.className = "message";
    message.append(Object.assign(document.createElement("p"), { textContent: sentence }));
    box.append(message);
    document.querySelector("main").after(box);
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const before = sent.get(form);
    if (before && performance.now() - before < 5000) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    if (event.defaultPrevented || form.hasAttribute("hx-post")) return;
    sent.set(form, performance.now());
    if (form.dataset.wait) setTimeout(say, 1000, form.dataset.wait);
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll("form").forEach((form) => sent.delete(form));
    document.querySelector(".waiting")?.remove();
  });

  const zone = document.querySelector("form[data-time-zone]");
  if (zone) {
    zone.elements.time_zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
    fetch(zone.action, { method: "POST", body: new FormData(zone) }).catch(() => {});
  }
  // Beside the list, the row of the open account is in sight.
  document.querySelector(".row-open")?.scrollIntoView({ block: "nearest" });

  const summary = document.querySelector(".errors");
  if (summary) summary.focus();
})();
