// The field for six words stands in the card of the backup that is chosen. Without script it stands below the cards.
(() => {
  "use strict";
  const field = document.querySelector("[data-words]");
  const place = () => {
    const card = document.querySelector(".choice-words:has(:checked)");
    if (card && field.parentElement !== card) card.append(field);
  };
  if (!field) return;
  document.addEventListener("change", place);
  place();
})();
