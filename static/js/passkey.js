/* Says what became of a passkey, beside its button; allauth's own script only logs it.
   What it says stands in the attributes of this script's element, in the language of the page. */

(() => {
  const words = document.currentScript.dataset;

  const button = () => document.querySelector('#passkey_login, [id^="mfa_webauthn_"]');

  function say(sentence) {
    const place = button()?.closest(".buttons") ?? document.querySelector("main");
    let note = document.getElementById("passkey-note");
    if (!note) {
      note = document.createElement("p");
      note.id = "passkey-note";
      note.className = "note note-wait";
      note.setAttribute("role", "alert");
      place.after(note);
    }
    note.textContent = sentence;
  }

  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    say(words.notUsed);
  });

  if (!window.PublicKeyCredential) {
    button()?.remove();
    if (!document.getElementById("passkey_login")) say(words.notHere);
  }
})();
