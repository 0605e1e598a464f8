// A passkey as a key to the list: what its PRF extension gives opens it (WebAuthn Level 3, section 10.1.4).
//
// [data-passkey-open] a form: one touch opens the list. data-rp whose passkeys, data-allowed their ids, [data-passkey-use]
// [data-passkey-new] a form: [data-passkey-make] or [data-passkey-choose], then [data-passkey-use] until two answers agree
// Both say what became of it in [data-passkey-note], in the words of [data-passkey-words]. Each ceremony begins with a
// tap of its own: iOS asks for that.
// Id and output go out in the body of one request, never into a field, a store or a log.
(() => {
  "use strict";
  const prf = { prf: { eval: { first: new TextEncoder().encode("authweb/prf/1") } } };
  const chance = (count) => crypto.getRandomValues(new Uint8Array(count));
  const toText = (bytes) =>
    btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const fromText = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const alike = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);
  const words = document.querySelector("[data-passkey-words]").dataset; // What is said, in the page's language.
  const isHere = Boolean(window.PublicKeyCredential && navigator.credentials);

  // No challenge is kept by the server, which checks no signature: the 32 bytes open the slot, or they do not.
  const output = (credential) => {
    const first = credential.getClientExtensionResults().prf?.results?.first;
    return first && first.byteLength === 32 ? new Uint8Array(first) : null;
  };
  const use = async (rpId, ids) => {
    const allowCredentials = ids.map((id) => ({ type: "public-key", id: fromText(id) }));
    const credential = await navigator.credentials.get({
      publicKey: { rpId, challenge: chance(32), userVerification: "required", allowCredentials, extensions: prf },
    });
    return { id: toText(new Uint8Array(credential.rawId)), output: output(credential) };
  };
  const make = async (form) => {
    const person = form.dataset.person;
    const credential = await navigator.credentials.create({
      publicKey: {
        rp: { id: form.dataset.rp, name: "Authweb" },
        // A handle of its own: a second passkey of one handle takes the place of the first. Its name tells it from the
        // one that signs in, beside which browsers show it.
        user: { id: chance(32), name: person, displayName: person },
        challenge: chance(32),
        pubKeyCredParams: [-7, -257].map((alg) => ({ type: "public-key", alg })),
        attestation: "none",
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
        extensions: prf,
      },
    });
    const enabled = credential.getClientExtensionResults().prf?.enabled === true;
    return { id: toText(new Uint8Array(credential.rawId)), output: output(credential), enabled };
  };

  const say = (form, sentence) => {
    const note = form.querySelector("[data-passkey-note]");
    note.textContent = sentence;
    note.hidden = !sentence;
  };
  // On to where the answer leads, or its sentence. Returns whether the same can be sent again: nothing came through, or
  // the name has to be another.
  const send = async (form, fields) => {
    const body = new URLSearchParams(new FormData(form)); // The token, the device to be or the name.
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body,
        redirect: "manual",
        headers: { Accept: "application/json" },
      });
      if (answer.type === "opaqueredirect") {
        window.location.reload(); // Signed out, or the sign-in is no longer fresh: the page says so.
        return false;
      }
      if (!answer.ok) {
        const fault = new DOMParser().parseFromString(await answer.text(), "text/html");
        say(form, fault.querySelector("h1").textContent);
        return true;
      }
      const said = await answer.json();
      if (said.location) window.location.assign(said.location);
      else say(form, said.sentence);
      return Boolean(said.again);
    } catch {
      say(form, words.wordsOffline);
      return true;
    }
  };
  // One ceremony at a time; what breaks it off is told alike, as browsers tell no more.
  const touch = (form, button, ceremony) => {
    button.addEventListener("click", async () => {
      if (form.dataset.busy) return;
      say(form, "");
      if (!isHere) {
        say(form, words.wordsNotHere);
        return;
      }
      form.dataset.busy = "1";
      try {
        await ceremony();
      } catch {
        say(form, words.wordsNotUsed);
      } finally {
        delete form.dataset.busy;
      }
    });
  };

  // -- Opening the list ----------------------------------------------------------------------------------------------
  const open = (form) => {
    if (form.dataset.ready) return;
    form.dataset.ready = "1";
    touch(form, form.querySelector("[data-passkey-use]"), async () => {
      const used = await use(form.dataset.rp, JSON.parse(form.dataset.allowed));
      if (!used.output) {
        say(form, words.wordsNotHere);
        return;
      }
      await send(form, { credential: used.id, output: toText(used.output) });
      used.output.fill(0);
    });
  };
  const openAll = () => document.querySelectorAll("[data-passkey-open]").forEach(open);
  document.addEventListener("htmx:afterSettle", openAll); // Those that came with an answer.
  openAll();

  // -- Adding one ----------------------------------------------------------------------------------------------------
  const form = document.querySelector("[data-passkey-new]");
  if (!form) return;
  const first = form.querySelector("[data-passkey-first]");
  const second = form.querySelector("[data-passkey-second]");
  const again = form.querySelector("[data-passkey-again]");
  let id = "";
  let cannot = ""; // What is said where it gives no key: of one just made nothing was kept, one that was chosen signs in.
  let before = null; // What the last ceremony gave.
  let uses = 0;

  const begin = (found, sentence) => {
    cannot = sentence;
    if (found.enabled === false || (found.enabled === undefined && !found.output)) {
      say(form, cannot);
      return;
    }
    ({ id } = found);
    before = found.output;
    uses = 0;
    first.hidden = true;
    second.hidden = false;
    second.querySelector("h2").focus();
  };
  const end = () => {
    if (before) before.fill(0);
    before = null;
    id = "";
    first.hidden = false;
    second.hidden = true;
    again.hidden = true;
  };
  touch(form, form.querySelector("[data-passkey-make]"), async () => begin(await make(form), words.wordsNewCannot));
  touch(form, form.querySelector("[data-passkey-choose]"), async () => begin(await use(form.dataset.rp, []), words.wordsCannot));
  touch(form, second.querySelector("[data-passkey-use]"), async () => {
    const used = await use(form.dataset.rp, [id]);
    uses += 1;
    if (used.output && before && alike(before, used.output)) {
      const unsent = await send(form, { credential: id, first: toText(before), second: toText(used.output) });
      used.output.fill(0);
      if (!unsent) end();
    } else if (used.output && uses === 1) {
      if (before) before.fill(0); // What making gave is not relied on: two uses decide.
      before = used.output;
      again.hidden = false;
    } else {
      if (used.output) used.output.fill(0);
      end();
      say(form, cannot);
    }
  });
  form.addEventListener("submit", (event) => event.preventDefault()); // Enter in the name's field makes nothing.
})();
