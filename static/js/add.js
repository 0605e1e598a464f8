// Adding: a chosen picture goes at once; pictures and links come by paste and by drag and drop too.
// [data-add-choose] a form with a file field and a button, whose [data-word] it says once it opens the field
// [data-add-pictures], [data-add-link] hidden forms for what is pasted or dropped · [data-add-paste] a button
(() => {
  "use strict";
  const find = (selector) => document.querySelector(selector);
  const several = find("[data-add-pictures]").elements.pictures;
  const link = find("[data-add-link]").elements.link;

  // The server reads 4,096 pixels on a side and 8 MiB. Photographs of newer phones are larger.
  const smaller = async (file) => {
    try {
      const image = await createImageBitmap(file);
      const scale = Math.min(1, 4000 / Math.max(image.width, image.height));
      if (scale === 1 && file.size < 8e6) return file;
      const canvas = new OffscreenCanvas(image.width * scale, image.height * scale);
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      return new File([await canvas.convertToBlob({ type: "image/jpeg" })], file.name);
    } catch {
      return file; // The server says what is wrong.
    }
  };
  const put = async (files, field) => {
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(await smaller(file));
    field.files = transfer.files;
    field.form.requestSubmit();
  };
  const type = (text) => {
    link.value = text;
    link.form.requestSubmit();
  };
  const take = (event, transfer) => {
    const text = transfer.getData("text").trim();
    if (transfer.files.length) put([...transfer.files], several);
    else if (text) type(text);
    else return;
    event.preventDefault();
  };

  const form = find("[data-add-choose]");
  const field = form?.elements.pictures;
  // Chosen before this ran, or put back by the browser on the way back: the plain form stays, and its button sends it.
  if (field && !field.files.length) {
    const button = form.querySelector("[data-word]");
    button.textContent = button.dataset.word;
    field.hidden = true;
    button.addEventListener("click", (event) => {
      if (field.files.length) return;
      event.preventDefault();
      field.click();
    });
    field.addEventListener("change", () => field.files.length && put([...field.files], field));
  }
  document.addEventListener("paste", (event) => {
    const data = event.clipboardData;
    const field = event.target.closest("input, textarea");
    const whole = field && field.tagName === "INPUT" && /^otpauth/i.test(data.getData("text").trim());
    if (!field || data.files.length || whole) take(event, data);
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event, event.dataTransfer);
  });
  find("[data-add-paste]").addEventListener("click", async () => {
    try {
      const [item] = await navigator.clipboard.read();
      const kind = item.types.find((one) => one.startsWith("image/"));
      if (kind) put([new File([await item.getType(kind)], "picture", { type: kind })], several);
      else type(await (await item.getType("text/plain")).text());
    } catch {
      window.location.assign(link.form.action); // Not allowed: the keyboard pastes into the field there.
    }
  });
})();
