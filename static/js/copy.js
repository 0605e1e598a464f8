// Copy a code by a tap or a key. [data-copy] holds the digits, or stands in an account whose [data-code] shows them.
(() => {
  "use strict";
  const said = document.querySelector("[data-said]");
  const words = (document.querySelector("[data-words-copied]") || document.body).dataset;

  const put = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // An address without https has no clipboard: the old way.
      const field = document.createElement("textarea");
      field.value = text;
      field.className = "visually-hidden";
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  };

  const copy = async (button) => {
    const account = button.closest("[data-account]");
    const code = account && account.querySelector("[data-code]");
    const text = button.dataset.copy || (code ? code.textContent.trim() : "");
    if (!text || (account && (account.classList.contains("over") || account.classList.contains("covered")))) return;
    await put(text);
    const left = account && account.dataset.left;
    const sentence = left && words.wordsCopiedEnds ? words.wordsCopiedEnds.replace("{seconds}", left) : words.wordsCopied || "";
    const tick = button.querySelector(".copied");
    if (tick) {
      const word = tick.querySelector("span") || tick;
      if (sentence) word.textContent = sentence;
      tick.hidden = false;
      tick.classList.toggle("copied-late", Boolean(left));
      button.classList.add("is-copied");
      window.clearTimeout(button.timer);
      button.timer = window.setTimeout(() => {
        tick.hidden = true;
        button.classList.remove("is-copied");
      }, 2000);
    }
    if (said) said.textContent = sentence;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });
})();
