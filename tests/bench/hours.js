// A browser's time, simulated: static/js/clock.js runs in it as it stands, an hour in a moment.
//
// `ask(address, milliseconds)` answers what the site answers at that time; `live(seconds)` lets time go by.
(() => {
  "use strict";
  let time = 0; // Milliseconds since the page came.
  const epoch = Number("EPOCH");
  let timers = [];
  let numbers = 0;
  let asked = [];

  Date.now = () => epoch + time;
  performance.now = () => time;
  performance.getEntriesByType = () => [{ requestStart: 0, responseStart: 0 }];
  window.setTimeout = (act, wait) => {
    numbers += 1;
    timers.push({ number: numbers, act, at: time + wait });
    return numbers;
  };
  window.clearTimeout = (number) => {
    timers = timers.filter((timer) => timer.number !== number);
  };
  window.fetch = (address) => {
    const answer = window.ask(address, epoch + time).then((said) => ({
      ok: true,
      status: 200,
      type: "basic",
      json: async () => said,
    }));
    asked.push(answer);
    return answer;
  };
  window.live = async (seconds) => {
    const until = time + seconds * 1000;
    for (;;) {
      const next = timers.reduce((first, timer) => (first && first.at <= timer.at ? first : timer), null);
      if (!next || next.at > until) break;
      time = next.at;
      window.clearTimeout(next.number);
      next.act();
      while (asked.length) {
        await asked.shift();
        for (let turn = 0; turn < 5; turn += 1) await null; // What follows the answer happens before the next second.
      }
    }
    time = until;
  };
})();
