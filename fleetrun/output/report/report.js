// Zooming and panning of the timelines. Without it the report shows all of each, as it was drawn.
"use strict";

const charts = [...document.querySelectorAll(".lanes")].map((lanes) => ({
  svg: lanes.querySelector("svg"),
  ticks: lanes.querySelector(".ticks"),
  wall: Number(lanes.dataset.wall), // microseconds, the unit of the drawing
  from: 0,
  width: Number(lanes.dataset.wall),
}));
const longest = Math.max(...charts.map((chart) => chart.wall));
const alike = document.querySelector("#alike");

function limit(chart) {
  return alike.checked ? longest : chart.wall;
}

function step(width) {
  const rough = width / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
}

function label(at, size) {
  const digits = Math.max(0, -Math.floor(Math.log10(size / 1e6)));
  return `${(at / 1e6).toFixed(digits)} s`;
}

function draw(chart) {
  const view = chart.svg.viewBox.baseVal;
  view.x = chart.from;
  view.width = chart.width;
  const size = step(chart.width);
  const spans = [];
  const first = Math.ceil(chart.from / size - 1e-9);
  for (let number = first; number * size <= chart.from + chart.width * 1.0001; number += 1) {
    const span = document.createElement("span");
    const share = (number * size - chart.from) / chart.width;
    span.style.left = `${100 * share}%`;
    if (share > 0.02 && share < 0.97) span.className = "inner";
    span.textContent = label(number * size, size);
    spans.push(span);
  }
  chart.ticks.replaceChildren(...spans);
}

function show(chart, from, width) {
  const most = limit(chart);
  chart.width = Math.min(most, Math.max(most / 2000, width));
  chart.from = Math.min(most - chart.width, Math.max(0, from));
  draw(chart);
}

// From the left edge while that is the beginning, where there is always something; else the middle.
function zoom(chart, times, share = chart.from === 0 ? 0 : 0.5) {
  const width = chart.width / times;
  show(chart, chart.from + (chart.width - width) * share, width);
}

function whole(chart) {
  show(chart, 0, limit(chart));
}

function where(chart, event) {
  const box = chart.svg.getBoundingClientRect();
  return (event.clientX - box.left) / box.width;
}

for (const chart of charts) {
  let held = null;
  chart.svg.addEventListener("pointerdown", (event) => {
    held = { x: event.clientX, from: chart.from };
    chart.svg.setPointerCapture(event.pointerId);
  });
  chart.svg.addEventListener("pointermove", (event) => {
    if (held === null) return;
    const moved = (event.clientX - held.x) / chart.svg.getBoundingClientRect().width;
    show(chart, held.from - moved * chart.width, chart.width);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    chart.svg.addEventListener(name, () => {
      held = null;
    });
  }
  chart.svg.addEventListener("dblclick", (event) => zoom(chart, 2, where(chart, event)));
  chart.svg.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
      event.preventDefault();
      zoom(chart, event.deltaY < 0 ? 1.25 : 0.8, where(chart, event));
    },
    { passive: false },
  );
  chart.svg.addEventListener("keydown", (event) => {
    const moves = {
      "+": () => zoom(chart, 1.5),
      "-": () => zoom(chart, 1 / 1.5),
      "0": () => whole(chart),
      ArrowLeft: () => show(chart, chart.from - chart.width / 10, chart.width),
      ArrowRight: () => show(chart, chart.from + chart.width / 10, chart.width),
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    moves[event.key]();
  });
}

document.documentElement.classList.add("has-script");
const buttons = { in: (chart) => zoom(chart, 2), out: (chart) => zoom(chart, 0.5), all: whole };
for (const [id, press] of Object.entries(buttons)) {
  document.querySelector(`#${id}`).addEventListener("click", () => charts.forEach(press));
}
alike.addEventListener("change", () => charts.forEach(whole));
charts.forEach(whole);
