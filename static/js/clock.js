// Live codes by the server's clock.
//
// [data-clock] on the list: data-now (server's seconds at rendering), data-ahead, data-codes-url, and the words shown.
// Each account, or a [data-single] card: data-step, data-period, data-width, data-codes (codes one after another from
// that step on). In it: [data-code] and [data-next] hold digits in halves, [data-ring] draws the time left.
// At a boundary the next code is shown without asking. New ones are asked for before those at hand run out, only while
// the page is looked at. A code whose time is over is blanked, never shown.
(() => {
  "use strict";
  const list = document.querySelector("[data-clock]");
  const words = list ? list.dataset : {};
  const first = list || document.querySelector("[data-single]");
  if (!first) return;

  const LATE = 5; // Seconds before the end at which a code steps back.
  const mono = () => performance.now() / 1000;
  const language = document.documentElement.lang || undefined;

  // -- The server's time: the best of the answers, by the shortest way there and back --------------------------------
  let offset = 0;
  let bestTrip = Infinity;
  const learn = (serverNow, sent, received) => {
    const trip = received - sent;
    const found = serverNow - (sent + received) / 2;
    if (trip <= bestTrip || Math.abs(found - offset) > trip) {
      offset = found;
      bestTrip = trip;
    }
  };
  const now = () => mono() + offset;
  const loaded = performance.getEntriesByType("navigation")[0];
  learn(Number(first.dataset.now), loaded.requestStart / 1000, loaded.responseStart / 1000);

  // A computer that slept, or whose clock was set: the two clocks of the browser then drift apart.
  let drift = Date.now() / 1000 - mono();
  let unsure = false;

  // -- Accounts ------------------------------------------------------------------------------------------------------
  const read = (element) => ({
    element,
    id: element.dataset.account.replace("-page", ""), // On its own page an account stands beside its row.
    step: Number(element.dataset.step),
    period: Number(element.dataset.period),
    width: Number(element.dataset.width),
    given: element.dataset.codes,
    digits: element.dataset.codes,
    code: element.querySelector("[data-code]"),
    next: element.querySelector("[data-next]"),
    ring: element.querySelector("[data-ring]"),
    ended: element.querySelector(".ended"),
    hidden: element.hasAttribute("data-hidden"),
    shownUntil: 0,
    shows: null,
  });
  let accounts = [];
  // What was known of an account stays, unless its element was given other codes.
  const gather = () => {
    const before = new Map(accounts.map((account) => [account.element, account]));
    accounts = [...document.querySelectorAll("[data-codes]")].filter((e) => e.dataset.codes).map((element) => {
      const known = before.get(element);
      if (!known) return read(element);
      return known.given === element.dataset.codes ? known : { ...read(element), shownUntil: known.shownUntil };
    });
  };
  const end = (account) => (account.step + account.digits.length / account.width) * account.period;
  const at = (account, step) => {
    const place = (step - account.step) * account.width;
    return place < 0 ? "" : account.digits.slice(place, place + account.width);
  };

  // -- Showing -------------------------------------------------------------------------------------------------------
  const put = (element, text) => {
    const parts = element.children;
    if (parts.length === 2) {
      const half = text.length >> 1;
      parts[0].textContent = text.slice(0, half);
      parts[1].textContent = text.slice(half);
    } else {
      parts[0].textContent = text;
    }
  };
  const clock = (second) =>
    new Date(second * 1000 + (Date.now() - now() * 1000)).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  const show = (account, step) => {
    const digits = unsure ? "" : at(account, step);
    const covered = account.hidden && account.shownUntil <= now();
    const state = covered ? "covered" : digits + step;
    if (state === account.shows) return;
    account.shows = state;
    const { element } = account;
    element.classList.toggle("over", !digits);
    element.classList.toggle("covered", covered);
    if (covered) {
      put(account.code, "••••••");
      account.code.setAttribute("aria-label", words.wordsHidden);
    } else if (digits) {
      put(account.code, digits);
      account.code.setAttribute("aria-label", digits.split("").join(" "));
      if (account.next) put(account.next, at(account, step + 1));
    } else {
      put(account.code, "––––––");
      account.code.removeAttribute("aria-label");
    }
    if (account.hidden) {
      element.querySelector("[data-show]").hidden = !covered;
      element.querySelector(".copy").hidden = covered;
    }
    if (account.ended) {
      account.ended.hidden = Boolean(digits) || covered || unsure;
      if (!account.ended.hidden) account.ended.textContent = words.wordsEnded.replace("{time}", clock(end(account)));
    }
  };
  const draw = (ring, left, period) => {
    ring.children[1].setAttribute("stroke-dasharray", `${(left / period) * 100} 100`);
    ring.children[2].textContent = String(left);
    ring.classList.toggle("ring-late", left <= LATE);
  };
  const common = document.querySelector('[data-ring="30"]');

  const tick = () => {
    const apart = Date.now() / 1000 - mono();
    if (Math.abs(apart - drift) > 2) {
      drift = apart;
      unsure = true;
      bestTrip = Infinity;
      ask();
    }
    const time = now();
    const second = Math.floor(time);
    for (const account of accounts) {
      const step = Math.floor(second / account.period);
      show(account, step);
      const left = (step + 1) * account.period - second;
      const late = left <= LATE && !account.element.classList.contains("over");
      if (late || account.element.dataset.left) {
        account.element.classList.toggle("late", late);
        if (late) account.element.dataset.left = String(left);
        else delete account.element.dataset.left;
      }
      if (account.ring && !unsure) draw(account.ring, left, account.period);
    }
    if (common && !unsure) draw(common, 30 - (second % 30), 30);
    if (known() - time < wanted) ask();
    window.clearTimeout(tick.timer);
    tick.timer = window.setTimeout(tick, Math.max(1, (Math.floor(now()) + 1 - now()) * 1000 + 1));
  };

  // -- Asking for more -----------------------------------------------------------------------------------------------
  const known = () => accounts.reduce((least, account) => Math.min(least, end(account)), Infinity);
  // A little sooner or later by chance, so that not everybody asks in the same second.
  const early = () => Math.min(60, Number(words.ahead || 0) / 2 || 10) + Math.random() * 20;
  let wanted = early();
  let asking = false;
  let failures = 0;
  let notBefore = 0;

  const ask = async () => {
    if (!list || asking || document.hidden || mono() < notBefore) return;
    asking = true;
    const from = unsure || known() < now() ? "" : `?from=${Math.floor(known())}`;
    const sent = mono();
    try {
      const answer = await fetch(words.codesUrl + from, { redirect: "manual", headers: { Accept: "application/json" } });
      const received = mono();
      if (answer.type === "opaqueredirect" || answer.status === 409) {
        window.location.reload(); // Signed out, or the key is gone: the page says so.
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const said = await answer.json();
      learn(said.now, sent, received);
      for (const account of accounts) {
        if (said.codes[account.id]) take(account, ...said.codes[account.id]);
      }
      unsure = false;
      failures = 0;
      notBefore = mono() + 2;
      wanted = early();
    } catch {
      failures += 1;
      notBefore = mono() + Math.min(30, 2.5 * 2 ** failures) + Math.random() * 2;
    } finally {
      asking = false;
    }
    note();
    tick();
  };
  const take = (account, step, digits) => {
    const current = Math.floor(now() / account.period);
    const place = step - account.step;
    if (unsure || place < 0 || place > account.digits.length / account.width) {
      account.step = step;
      account.digits = digits;
    } else {
      account.digits = account.digits.slice(0, place * account.width) + digits;
    }
    const past = Math.min(current - account.step, account.digits.length / account.width);
    if (past > 0) {
      account.digits = account.digits.slice(past * account.width);
      account.step += past;
    }
    account.shows = null;
  };

  // -- What is said above the list -----------------------------------------------------------------------------------
  const note = () => {
    const element = document.querySelector("[data-clock-note]");
    if (!element) return;
    const off = Math.round(Math.abs(Date.now() / 1000 - now()));
    const unit = off < 120 ? ["second", off] : ["minute", Math.round(off / 60)];
    let text = "";
    if (failures > 1 || (failures && unsure)) {
      text = words.wordsOffline.replace("{time}", clock(known()));
    } else if (off > 5 && !failures) {
      const difference = new Intl.NumberFormat(language, { style: "unit", unit: unit[0], unitDisplay: "long" }).format(unit[1]);
      text = words.wordsClock.replace("{difference}", difference);
    }
    element.hidden = !text;
    element.lastElementChild.textContent = text;
  };

  // -- Beginning, and coming back ------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const shown = event.target.closest("[data-show]");
    const account = shown && accounts.find((one) => one.element.contains(shown));
    if (!account) return;
    event.preventDefault();
    account.shownUntil = (Math.floor(now() / account.period) + 1) * account.period;
    tick();
    account.element.querySelector(".copy").focus();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) tick();
  });
  window.addEventListener("online", () => {
    notBefore = 0;
    if (failures) ask();
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return; // From the browser's memory: no code until the server has answered.
    unsure = true;
    bestTrip = Infinity;
    notBefore = 0;
    tick();
    ask();
  });
  for (const name of ["htmx:afterSettle", "list:changed"]) {
    document.addEventListener(name, () => {
      gather();
      tick();
    });
  }
  gather();
  note();
  tick();
  if (bestTrip > 0.3) window.setTimeout(ask, 1000); // The page came slowly, so its time is vague: a short answer knows better.
})();
