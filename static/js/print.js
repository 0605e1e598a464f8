// A button that prints: [data-print]. What is printed, the sheet for print decides.
(() => {
  "use strict";
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });
})();
