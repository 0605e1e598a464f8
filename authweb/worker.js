// Where no server is reached a page of ours says so. For that a browser keeps one page in each language, and the files
// it is drawn with: SHELL, which the server writes before this. Nothing else is ever put into a cache: no list, no code,
// nothing that was made for a person.

const HERE = `authweb-${SHELL.version}`;
const SPOKEN = "/offline/"; // The page in the language that Authweb spoke last: a copy of one of SHELL.pages.
let spoken = "";

addEventListener("install", (event) => {
  const addresses = [...SHELL.files, ...Object.values(SHELL.pages)];
  const kept = async () => {
    const cache = await caches.open(HERE);
    // Without cookies: what is kept is nobody's.
    await cache.addAll(addresses.map((address) => new Request(address, { cache: "reload", credentials: "omit" })));
    await skipWaiting();
  };
  event.waitUntil(kept());
});

addEventListener("activate", (event) => {
  const cleared = async () => {
    for (const name of await caches.keys()) if (name !== HERE) await caches.delete(name);
    await registration.navigationPreload?.enable();
  };
  event.waitUntil(cleared());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(visit(event));
  else if (SHELL.files.includes(new URL(request.url).pathname)) event.respondWith(drawn(request));
});

const find = async (address) => (await caches.open(HERE)).match(address, { ignoreVary: true });

async function visit(event) {
  try {
    const answer = (await event.preloadResponse) ?? (await fetch(event.request));
    event.waitUntil(listen(answer.headers.get("Content-Language")));
    return answer;
  } catch {
    const likely = navigator.languages.map((one) => one.split("-")[0]).find((one) => one in SHELL.pages);
    const page = SHELL.pages[likely] ?? Object.values(SHELL.pages)[0];
    return (await find(SPOKEN)) ?? (await find(page)) ?? Response.error();
  }
}

// From the network as long as there is one.
async function drawn(request) {
  try {
    return await fetch(request);
  } catch {
    return (await find(request.url)) ?? Response.error();
  }
}

async function listen(language) {
  if (language === spoken || !(language in SHELL.pages)) return;
  spoken = language;
  const page = await find(SHELL.pages[language]);
  if (page) await (await caches.open(HERE)).put(SPOKEN, page);
}
