// Search as you type: rows by what stands in data-search. Without script the form asks the server.
(() => {
  "use strict";
  const form = document.querySelector("[data-search-form]");
  const field = form && form.querySelector("input");
  const list = document.querySelector("[data-clock]");
  if (!form || !list) return;
  const found = list.querySelector("[data-found]");
  const none = list.querySelector("[data-no-match]");
  if (!found) return; // The server has searched; its answer stays until the field is used again.

  const mark = (element, words) => {
    const text = element.textContent;
    element.textContent = text;
    const lower = text.toLocaleLowerCase();
    if (lower.length !== text.length) return;
    const hit = words.map((word) => [lower.indexOf(word), word.length]).find(([place]) => place >= 0);
    if (!hit) return;
    const range = document.createRange();
    range.setStart(element.firstChild, hit[0]);
    range.setEnd(element.firstChild, hit[0] + hit[1]);
    range.surroundContents(document.createElement("mark"));
  };

  const search = () => {
    const words = field.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...list.querySelectorAll("[data-search]")];
    let shown = 0;
    for (const row of rows) {
      const hit = words.every((word) => row.dataset.search.includes(word));
      row.hidden = !hit;
      shown += hit ? 1 : 0;
      row.querySelectorAll(".issuer, .name").forEach((element) => {
        if (words.length || element.querySelector("mark")) mark(element, hit ? words : []);
      });
    }
    list.querySelectorAll("[data-label]").forEach((label) => {
      label.hidden = words.length > 0;
    });
    found.hidden = !words.length || !shown;
    const text = list.dataset.wordsFound.replace("{shown}", shown).replace("{count}", rows.length);
    if (!found.hidden && found.textContent !== text) found.textContent = text; // Said aloud where it changes.
    none.hidden = !words.length || shown > 0;
  };
  const clear = () => {
    field.value = "";
    search();
    field.focus();
  };

  field.addEventListener("input", search);
  document.addEventListener("list:changed", search);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") clear();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const rows = [...list.querySelectorAll("[data-search]:not([hidden])")];
    if (rows.length === 1) rows[0].querySelector("[data-copy]")?.click(); // Enter copies the one that is left.
  });
  none.querySelector("[data-clear-search]").addEventListener("click", clear);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, textarea, select")) {
      event.preventDefault();
      field.focus();
    }
  });
  if (field.value) search(); // The browser has put back what was typed.
})();
