"use strict";
// Fires data-n requests at once and draws one bar for each: held back by the browser, then waiting for the answer.

const burst = document.getElementById("burst");

async function fire(path, i, began) {
  // A parameter of its own lets the browser's timing entry be found again; the site ignores it.
  const url = new URL(`${path}&_=${i}`, location.href).href;
  let ok = false, worker = "?";
  try {
    const response = await fetch(url, { headers: { Accept: "text/plain" }, cache: "no-store" });
    await response.text();
    ok = response.ok;
    worker = response.headers.get("X-Worker-Pid") || "?";
  } catch { /* no answer at all: stays not ok */ }
  const answered = performance.now() - began;
  const entry = performance.getEntriesByName(url)[0];
  const sent = entry && entry.requestStart ? Math.min(entry.requestStart - began, answered) : 0;
  return { sent, answered, ok, worker };
}

function bar(x, width, y, kind) {
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ x, y, width: Math.max(width, 0.5), height: 3, class: kind })) {
    rect.setAttribute(name, value);
  }
  return rect;
}

function draw(results) {
  const plot = document.getElementById("plot");
  const longest = Math.max(...results.map((r) => r.answered));
  const scale = 1000 / longest;
  plot.setAttribute("viewBox", `0 0 1000 ${results.length * 4}`);
  plot.setAttribute("preserveAspectRatio", "none");
  plot.setAttribute("height", Math.max(80, results.length * 5));
  results.forEach((r, i) => {
    plot.append(bar(0, r.sent * scale, i * 4, "held"));
    plot.append(bar(r.sent * scale, (r.answered - r.sent) * scale, i * 4, r.ok ? "waited" : "failed"));
  });
  plot.toggleAttribute("hidden", false);
  document.getElementById("legend").hidden = false;
}

function tell(results) {
  const waits = results.map((r) => r.answered - r.sent).sort((a, b) => a - b);
  const at = (share) => Math.round(waits[Math.ceil(share * waits.length) - 1]);
  const all = Math.round(Math.max(...results.map((r) => r.answered)));
  const failed = results.filter((r) => !r.ok).length;
  const workers = new Set(results.map((r) => r.worker)).size;
  document.getElementById("summary").textContent =
    `${results.length} requests in ${all} ms, ${failed} failed, answered by ${workers} worker${workers === 1 ? "" : "s"}. ` +
    `Waiting for the answer: median ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms.`;
}

async function main() {
  const n = Number(burst.dataset.n);
  if (!n) return;
  performance.setResourceTimingBufferSize(500);
  const began = performance.now();
  const results = await Promise.all(Array.from({ length: n }, (_, i) => fire(burst.dataset.path, i, began)));
  results.sort((a, b) => a.sent - b.sent);
  draw(results);
  tell(results);
}

main();
