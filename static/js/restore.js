// The field for six words stands in the card of the backup that is chosen. Without script it stands below the cards.
// Where an answer comes in place of the cards, the field whose words were refused has the focus.
(() => {
  "use strict";
  const place = () => {
    const field = document.querySelector("[data-words]");
    const card = document.querySelector(".choice-words:has(:checked)");
    if (card && field && field.parentElement !== card) card.append(field);
  };
  document.addEventListener("change", place);
  document.addEventListener("htmx:afterSettle", () => {
    place();
    document.querySelector("[data-words] [aria-invalid=true]")?.focus({ preventScroll: true });
  });
  // What does not come through, or is no answer, may have been judged all the same: it is not sent twice, the page of the
  // choice is asked for anew, and says how things stand.
  for (const name of ["htmx:sendError", "htmx:responseError"]) {
    document.addEventListener(name, ({ detail }) => {
      const form = detail.elt;
      if (form.id !== "restore-choose") return;
      const kept = new URLSearchParams();
      for (const field of form.querySelectorAll("[name=proof], [name=try]")) kept.set(field.name, field.value);
      const chosen = document.querySelector("[name=choice]:checked");
      if (chosen) kept.set("chosen", chosen.value);
      window.location.assign(`${form.action}?${kept}`);
    });
  }
  place();
})();
