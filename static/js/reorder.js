// Put the list in order by drag, or step by step; "Save the order" sends it. Without script each step is sent by itself.
(() => {
  "use strict";
  const form = document.querySelector("[data-order]");
  if (!form) return;
  const items = () => [...form.querySelectorAll("li")];
  const alike = (one, other) => other && one.dataset.pinned === other.dataset.pinned;

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=by]");
    if (!button) return;
    event.preventDefault();
    const item = button.closest("li");
    if (button.value === "up" && alike(item, item.previousElementSibling)) item.previousElementSibling.before(item);
    if (button.value === "down" && alike(item, item.nextElementSibling)) item.nextElementSibling.after(item);
    button.focus();
  });

  let dragged = null;
  form.addEventListener("pointerdown", (event) => {
    const grip = event.target.closest(".grip");
    if (!grip) return;
    event.preventDefault();
    dragged = grip.closest("li");
    dragged.classList.add("dragged");
    form.setPointerCapture(event.pointerId);
  });
  form.addEventListener("pointermove", (event) => {
    if (!dragged) return;
    for (const item of items()) {
      if (item === dragged || !alike(item, dragged)) continue;
      const box = item.getBoundingClientRect();
      const middle = box.top + box.height / 2;
      const above = dragged.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_PRECEDING;
      if (above && event.clientY < middle) {
        item.before(dragged);
        break;
      }
      if (!above && event.clientY > middle && event.clientY < box.bottom + box.height) item.after(dragged);
    }
  });
  const drop = () => {
    if (dragged) dragged.classList.remove("dragged");
    dragged = null;
  };
  form.addEventListener("pointerup", drop);
  form.addEventListener("pointercancel", drop);
})();
