// Lighthouse at pages of a browser that is open: `node measure.js PORT ADDRESS…` prints one line of JSON for each, its
// scores of a hundred, where it ended, and what cost them.
import lighthouse from "lighthouse";

const CATEGORIES = ["performance", "accessibility", "best-practices"];
const [port, ...addresses] = process.argv.slice(2);

for (const address of addresses) {
  const { lhr } = await lighthouse(address, { port: Number(port), logLevel: "error", onlyCategories: CATEGORIES });
  const scores = {};
  const costs = [];
  for (const { id, score, auditRefs } of Object.values(lhr.categories)) {
    scores[id] = Math.round((score ?? 0) * 100);
    for (const { id: audit, weight } of auditRefs) {
      const { score: reached, title, displayValue } = lhr.audits[audit];
      if (weight > 0 && reached !== null && reached < 0.9) costs.push([title, displayValue].filter(Boolean).join(": "));
    }
  }
  console.log(JSON.stringify({ address, ended: lhr.finalDisplayedUrl, error: lhr.runtimeError?.message, scores, costs }));
}
