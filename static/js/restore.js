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
  // What does not come through, or is no answer, is sent once more as the form it is: then it has a page that says so.
  for (const name of ["htmx:sendError", "htmx:responseError"]) {
    document.addEventListener(name, ({ detail }) => {
      if (detail.elt.id === "restore-choose") detail.elt.submit();
    });
  }
  place();
})();
