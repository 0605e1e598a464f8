// What other browsers did: asked for while the page is looked at, and put in so that nothing else moves.
//
// [data-look] on the list: the address; data-every: seconds, to which up to a fifth is added by chance. In it
// [data-news] (requests, notices; its value says which) and [data-rows] (data-version says of which state). [data-chip]
// says how the list stands, [data-badge] how many accounts wait for their person; both come with them.
// What is alike stays the element it is: its focus, a code that is shown, a tap that is under way. What is told of the
// change is the event "list:changed" for the other scripts, and news, once, for a screen reader.
(() => {
  "use strict";
  const place = document.querySelector("[data-look]");
  if (!place) return;
  const MOST = 300; // Seconds between two looks at a server that does not answer.
  const PATIENCE = 20; // Seconds that an answer may take.
  const AGAIN = 5; // Seconds after which coming back to the page is a reason to look at once.
  const mono = () => performance.now() / 1000;
  const said = document.querySelector("[data-said]");
  const rows = place.querySelector("[data-rows]");
  const news = () => place.querySelector("[data-news]");

  // -- Asking --------------------------------------------------------------------------------------------------------
  let timer = 0;
  let failures = 0;
  let asking = false;
  let asked = mono();

  const plan = () => {
    window.clearTimeout(timer);
    if (document.hidden) return;
    const wait = Math.min(MOST, Number(place.dataset.every) * 2 ** failures);
    timer = window.setTimeout(look, wait * (1 + Math.random() / 5) * 1000);
  };
  const look = async () => {
    if (asking || document.hidden) return;
    asking = true;
    asked = mono();
    const open = document.querySelector("[data-open]");
    const shown = new URLSearchParams({
      v: (rows || place).dataset.version,
      n: news().dataset.news,
      open: open ? open.dataset.open : "",
    });
    let text = "";
    try {
      const answer = await fetch(`${place.dataset.look}?${shown}`, {
        redirect: "manual",
        signal: AbortSignal.timeout(PATIENCE * 1000),
      });
      if (answer.type === "opaqueredirect") {
        window.location.reload(); // Signed out, the key is gone, or more has changed than the list: the page says so.
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      text = await answer.text();
      failures = 0;
    } catch {
      failures += 1;
    }
    asking = false;
    if (text) putWhenFree(text);
    plan();
  };
  // -- Putting in ----------------------------------------------------------------------------------------------------
  // Not under a finger, nor while "Copied" stands there, nor before the answer to "Next code".
  const putWhenFree = (text) => {
    if (place.querySelector(":active, .is-copied, .htmx-request")) window.setTimeout(putWhenFree, 250, text);
    else put(text);
  };
  const put = (text) => {
    const fresh = document.createElement("template");
    fresh.innerHTML = text;
    const [nextNews, nextRows] = ["news", "rows"].map((part) => fresh.content.querySelector(`[data-${part}]`));
    if (nextRows && !rows) {
      window.location.reload(); // The first account: another page.
      return;
    }
    const focused = document.activeElement;
    const way = wayTo(focused);
    const known = told();
    match(news(), nextNews);
    news().dataset.news = nextNews.dataset.news;
    if (nextRows) {
      before = new Map([...rows.querySelectorAll("[data-account]")].map((row) => [row.id, row]));
      match(rows, nextRows);
      rows.dataset.version = nextRows.dataset.version;
    }
    for (const part of ["[data-chip]", "[data-badge]"]) tell(part, fresh.content.querySelector(part));
    window.htmx.process(place);
    document.dispatchEvent(new CustomEvent("list:changed"));
    if (document.activeElement !== focused) (focused.isConnected ? focused : way())?.focus({ preventScroll: true });
    const more = told().filter((sentence) => !known.includes(sentence));
    if (said && more.length) said.textContent = more.join(" ");
  };
  // What stands several times outside the list: the chip in the dock and in the top bar, the badge where one goes to it.
  const tell = (part, fresh) => {
    for (const old of fresh ? document.querySelectorAll(part) : []) {
      if (old.outerHTML === fresh.outerHTML) continue;
      const next = fresh.cloneNode(true);
      const focused = old === document.activeElement;
      old.replaceWith(next);
      if (focused) next.focus({ preventScroll: true });
    }
  };
  const told = () => [...news().querySelectorAll("h2, [data-told]")].map((element) => element.textContent);

  // Where the focus is found again when its row was drawn anew: the same control of the same account.
  const CONTROLS = [".row-head", ".copy", ".show", "[type=submit]"];
  const wayTo = (element) => {
    const around = element.closest("[data-account][id], .notice");
    const control = CONTROLS.find((selector) => element.matches(selector));
    const found = around && control && `${around.id ? `#${around.id}` : ".notice"} ${control}`;
    return () => (found ? place.querySelector(found) : null);
  };

  // The children of one element become those of another, in their order; what is alike stays, and is not moved without
  // need.
  let before = new Map();
  const name = (element) => element.id || element.dataset.part || element.outerHTML;
  const match = (there, fresh) => {
    const children = new Map([...there.children].map((child) => [name(child), child]));
    const wanted = [...fresh.children].map((child) => {
      const old = children.get(name(child)) || before.get(child.id);
      children.delete(name(child));
      if (!old && child.matches("ul")) return settle(child.cloneNode(false), child); // Rows may come from another part.
      return old ? settle(old, child) : child;
    });
    for (const child of children.values()) child.remove();
    let next = there.firstElementChild;
    for (const child of wanted) {
      if (child === next) next = next.nextElementSibling;
      else there.insertBefore(child, next);
    }
  };
  const settle = (old, fresh) => {
    if (fresh.matches("ul")) {
      match(old, fresh);
      return old;
    }
    if (fresh.matches("[data-account]") ? alike(old, fresh) : old.innerHTML === fresh.innerHTML) return old;
    old.replaceWith(fresh);
    return fresh;
  };
  // A row that says the same keeps its element, with the newer codes. A code that a counter gave here stays in sight.
  const alike = (old, fresh) => {
    const given = fresh.dataset.counter && old.querySelector(".code");
    const same = face(old, given) === face(fresh, given);
    if (same) Object.assign(old.dataset, fresh.dataset);
    else if (given) fresh.querySelector(".code-line").replaceWith(old.querySelector(".code-line"));
    return same;
  };
  const face = (row, given) => {
    const { search, period, width, counter, hidden } = row.dataset;
    const drawn = ["late", "over", "covered"];
    return JSON.stringify([
      ...[search, period, width, hidden, given ? "" : counter].map(String),
      row.querySelector(".row-head").textContent,
      [...row.classList].filter((one) => !drawn.includes(one)),
    ]);
  };

  // -- Beginning, and coming back ------------------------------------------------------------------------------------
  const back = () => {
    if (mono() - asked > AGAIN) look();
    else plan();
  };
  document.addEventListener("visibilitychange", back);
  window.addEventListener("online", () => {
    failures = 0;
    back();
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) look();
  });
  plan();
})();
