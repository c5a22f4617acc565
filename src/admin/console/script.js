"use strict";
// Counts the times down that the server wrote: data-left is what was left, in milliseconds, when the page was made.
const loaded = performance.now();
const text = (ms) => {
  if (ms <= 0) return "over";
  const s = Math.floor(ms / 1000);
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (d > 0) return `in ${d} d ${h} h`;
  if (h > 0) return `in ${h} h ${m} min`;
  return m > 0 ? `in ${m} min ${s % 60} s` : `in ${s} s`;
};
const tick = () => {
  for (const e of document.querySelectorAll("[data-left]")) {
    e.textContent = text(Number(e.dataset.left) - (performance.now() - loaded));
  }
};
tick();
setInterval(tick, 1000);
