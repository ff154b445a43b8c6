"""How the page looks and draws: its style sheet and its script."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: #1f2933;
  background: #f3f5f7; }
header { background: #14213d; color: #e9edf2; padding: 22px 32px 16px; }
.top { display: flex; align-items: center; gap: 18px; }
h1 { font-size: 22px; margin: 0; font-weight: 650; }
.tag { font: 600 13px/1 ui-monospace, monospace; padding: 7px 12px; border-radius: 99px; background: #f4d35e;
  color: #14213d; }
.tag-live { background: #ff8fa3; }
.tag-recorded { background: #8ecae6; }
.facts { display: flex; flex-wrap: wrap; gap: 6px 32px; margin: 16px 0 8px; }
.facts dt { font-size: 12px; color: #a9b6c9; }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.told { margin: 10px 0 0; padding-left: 18px; font-size: 13px; color: #c6d0de; }
.alarm { background: #d1495b; color: white; padding: 10px 14px; border-radius: 6px; font-weight: 600; }
main { max-width: 1280px; margin: 0 auto; padding: 8px 24px 40px; }
section { margin-top: 28px; }
h2 { font-size: 18px; margin: 0 0 10px; }
h3 { font-size: 15px; margin: 18px 0 6px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 12px; }
.tile { background: white; border: 1px solid #e1e6eb; border-radius: 8px; padding: 12px 14px; display: flex;
  flex-direction: column; }
.tile .name { font-size: 12.5px; color: #616e7c; }
.tile .value { font-size: 22px; font-weight: 620; font-variant-numeric: tabular-nums; }
.tile .detail { font-size: 12px; color: #7b8794; min-height: 18px; }
.good { color: #1d7a6e; }
.bad { color: #b8324a; }
figure { margin: 0 0 16px; background: white; border: 1px solid #e1e6eb; border-radius: 8px; padding: 6px 8px 8px; }
figcaption { font-size: 12.5px; color: #616e7c; padding: 2px 8px 4px; overflow-wrap: anywhere; }
.missing { color: #7b8794; font-style: italic; }
.wide { overflow-x: auto; background: white; border: 1px solid #e1e6eb; border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 12px; border-bottom: 1px solid #eef1f4; white-space: nowrap; }
th { color: #616e7c; font-weight: 550; background: #fafbfc; }
tbody tr:last-child td { border-bottom: 0; }
.choice { display: block; margin: 0 0 8px; font-size: 13px; color: #616e7c; }
select { font: inherit; max-width: 100%; padding: 5px 8px; border: 1px solid #c3ccd5; border-radius: 6px; }
footer { max-width: 1280px; margin: 0 auto; padding: 0 24px 40px; font-size: 12.5px; color: #616e7c; }
footer p { margin: 3px 0; }
@media print { body { background: white; } figure { break-inside: avoid; } }
"""

SCRIPT: Final = """
"use strict";
const held = JSON.parse(document.getElementById("figures").textContent);
function draw(place) {
  const made = held.figures[place.dataset.key];
  place.style.minHeight = made.layout.height + "px";
  return Plotly.newPlot(place, {data: made.data, layout: made.layout, frames: made.frames, config: held.config});
}
const seen = new IntersectionObserver((found) => {
  for (const one of found) {
    if (one.isIntersecting) { seen.unobserve(one.target); draw(one.target); }
  }
}, {rootMargin: "400px"});
for (const place of document.querySelectorAll(".plot")) { seen.observe(place); }
window.addEventListener("beforeprint", () => {
  for (const place of document.querySelectorAll(".plot")) { seen.unobserve(place); if (!place.data) { draw(place); } }
});
const choice = document.getElementById("choice");
if (choice) {
  const place = document.getElementById("chosen");
  const note = document.getElementById("chosen-note");
  const show = () => { note.textContent = held.figures[place.dataset.key].note; };
  choice.addEventListener("change", () => {
    seen.unobserve(place);
    place.dataset.key = choice.value;
    draw(place);
    show();
  });
  show();
}
"""
