"use strict";
// Tabs, choices, zoom and refresh of the page. What is drawn comes from the document in the page or, while live, from its server.
const doc = JSON.parse(document.getElementById("boards").textContent);
const isLive = doc.mode === "live";
const REFRESH_MS = 2000;
const byId = (id) => document.getElementById(id);
const state = { board: doc.boards[0].name, span: doc.spans[0].name, choice: {}, zoom: null, hover: null };
let plots = [], asked = 0;

function make(parent, tag, text, attributes = {}) {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  return Object.assign(element, attributes);
}
const board = () => doc.boards.find((b) => b.name === state.board);
const span = () => doc.spans.find((s) => s.name === state.span);

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (doc.boards.some((b) => b.name === given.get("board"))) state.board = given.get("board");
  if (doc.spans.some((s) => s.name === given.get("span"))) state.span = given.get("span");
  state.zoom = given.has("from") ? { from: +given.get("from") / 1000, until: +given.get("to") / 1000 } : null;
  for (const variable of board().variables) state.choice[variable.name] = given.get("var-" + variable.name) || "";
}
function writeHash() {
  const said = new URLSearchParams({ board: state.board, span: state.span });
  for (const [name, value] of Object.entries(state.choice)) if (value) said.set("var-" + name, value);
  if (state.zoom) { said.set("from", Math.round(state.zoom.from * 1000)); said.set("to", Math.round(state.zoom.until * 1000)); }
  history.replaceState(null, "", "#" + said);
}

async function answer() {
  const narrows = (name) => isLive || board().variables.some((variable) => variable.name === name && variable.values);
  const chosen = Object.fromEntries(Object.entries(state.choice).filter(([name, value]) => value && narrows(name)));
  if (!isLive) {
    const key = Object.entries(chosen).map(([name, value]) => name + "=" + value).join(",");
    const all = doc.answers[state.board];
    return all[state.span + "|" + key] || all[doc.spans[0].name + "|" + key];
  }
  const until = state.zoom ? state.zoom.until : Date.now() / 1000 - 1;
  const from = state.zoom ? state.zoom.from : until - span().seconds;
  const query = new URLSearchParams({ board: state.board, from, until, ...Object.fromEntries(Object.entries(chosen).map(([n, v]) => ["var-" + n, v])) });
  const got = await fetch("answer?" + query);
  if (!got.ok) throw new Error(await got.text());
  return got.json();
}

function view(found) {
  if (state.zoom) return { ...state.zoom, hover: state.hover };
  const whole = { from: found.from, until: found.from + found.step * (found.count - 1) || 1 };
  const chosen = isLive ? whole : { from: Math.max(span().from, whole.from), until: Math.min(span().until, whole.until) };
  return { ...chosen, hover: state.hover };
}

async function show() {
  const number = ++asked;
  writeHash();
  let found;
  try { found = await answer(); byId("state").textContent = isLive ? clock(Date.now() / 1000, true) + " UTC" : ""; byId("state").className = ""; }
  catch (error) { byId("state").textContent = error.message; byId("state").className = "bad"; return; }
  if (number !== asked) return;
  byId("back").hidden = !state.zoom;
  byId("purpose").textContent = board().purpose;
  const grid = byId("grid"), kept = grid.scrollTop;
  grid.replaceChildren();
  plots = [];
  board().panels.forEach((panel, i) => addPanel(grid, panel, { ...found.panels[i], from: found.from, step: found.step, count: found.count }, found.marks));
  grid.scrollTop = kept;
  drawAll(view(found));
  show.found = found;
}
function addPanel(grid, panel, found, marks) {
  const box = make(grid, "section");
  box.style.gridColumn = `${panel.x + 1} / span ${panel.width}`;
  box.style.gridRow = `${panel.y + 1} / span ${panel.height}`;
  make(box, "h2", panel.title, { title: panel.description });
  if (panel.kind === "logs") return addLogs(box, found.logs);
  if (found.error) return make(box, "div", found.error, { className: "nothing" });
  if (panel.kind === "stat") return addStat(box, panel, found);
  if (!found.series.length) return make(box, "div", "no data in this range", { className: "nothing" });
  const canvas = make(make(box, "div", undefined, { className: "plot" }), "canvas");
  const plot = new Plot(canvas, panel, found, marks);
  plots.push(plot);
  if (panel.kind === "lines" || panel.kind === "stack") addLegend(box, plot);
  listen(canvas, plot);
}
function addStat(box, panel, found) {
  const ends = found.series.map((s) => ({ name: s.name, value: s.values[found.count - 1] ?? s.values[found.count - 2] ?? null })).filter((s) => s.value !== null);
  const best = ends[0], place = make(box, "div", undefined, { className: "stat" });
  if (best && best.name) make(place, "small", best.name);
  const [figure, ...unit] = (best ? formatter(panel.unit)(best.value) : "–").split(" ");
  const line = make(place, "b", figure);
  if (unit.length) make(line, "span", " " + unit.join(" "));
  const colour = best && colourOf(best.value, panel.thresholds);
  if (colour) { place.style.background = colour + "26"; place.style.color = colour === "#e6b400" ? "#7a5f00" : colour; }
}
function addLogs(box, found) {
  const trace = !isLive && state.choice.trace_id, lines = (found || []).filter((line) => !trace || line.text.includes(trace));
  const place = make(box, "pre", undefined, { className: "lines" });
  if (!lines.length) make(place, "span", isLive ? "no lines in this range" : "a run keeps the lines of traced orders; here there are none", { className: "nothing" });
  for (const line of lines) { make(place, "time", clock(line.t, true) + " "); make(place, "em", line.source + " "); make(place, "span", line.text + "\n"); }
}
function addLegend(box, plot) {
  const place = make(box, "div", undefined, { className: "legend" });
  if (plot.series.length === 1 && !plot.series[0].name) return;
  const isMany = plot.series.length > 5 && !plot.answer.series.some((s) => s.colour); // colours mean a chosen order
  const sum = (s) => s.values.reduce((total, value) => total + (value || 0), 0);
  const named = isMany ? plot.series.filter(sum).sort((a, b) => sum(b) - sum(a)) : plot.series;
  for (const s of named) {
    const entry = make(place, "span", undefined, { className: plot.alone !== null && plot.alone !== s.name ? "off" : "" });
    make(entry, "i").style.background = s.colour;
    make(entry, "span", s.name + " ");
    const last = latest(s.values, plot.answer.count - 1);
    make(entry, "b", last === null ? "–" : plot.format(last));
    entry.onclick = () => { plot.alone = plot.alone === s.name ? null : s.name; place.remove(); addLegend(box, plot); plot.draw(plot.view); };
  }
}

function drawAll(seen) { for (const plot of plots) plot.draw(seen); }
function listen(canvas, plot) {
  let start = null;
  canvas.onmousedown = (event) => { start = plot.at(event.clientX); };
  canvas.onmousemove = (event) => {
    state.hover = plot.at(event.clientX);
    drawAll(view(show.found));
    if (start !== null) { plot.pen.fillStyle = "#0072b233"; plot.pen.fillRect(plot.x(start), plot.top, plot.x(state.hover) - plot.x(start), plot.height); }
    tip(plot, event);
  };
  canvas.onmouseleave = () => { state.hover = start = null; byId("tip").hidden = true; drawAll(view(show.found)); };
  canvas.onmouseup = (event) => {
    const end = plot.at(event.clientX), from = Math.min(start ?? end, end), until = Math.max(start ?? end, end);
    start = null;
    if (until - from > plot.answer.step) { state.zoom = { from, until }; show(); }
  };
  canvas.ondblclick = () => { state.zoom = null; show(); };
}
function tip(plot, event) {
  const box = byId("tip"), i = plot.index(state.hover);
  box.replaceChildren();
  make(box, "b", clock(plot.time(i), true) + " UTC");
  const rows = plot.panel.kind === "heatmap"
    ? plot.buckets.bounds.map((b, row) => [isFinite(b) ? "≤ " + plot.format(b) : "more", plot.buckets.counts[row][i], "#0072b2"]).filter((r) => r[1] > 0).map(([n, c, k]) => [n, short(c), k])
    : plot.seen().filter((s) => (s.values[i] ?? null) !== null).map((s) => [s.name, plot.format(s.values[i]), plot.panel.kind === "cells" ? colourOf(s.values[i], plot.panel.thresholds) : s.colour]);
  for (const [name, value, colour] of rows.slice(0, 24)) {
    const row = make(box, "div"), left = make(row, "span");
    make(left, "i").style.background = colour; make(left, "span", name); make(row, "b", value);
  }
  for (const mark of plot.marks) if (mark.from <= state.hover && state.hover <= mark.until) make(box, "div", mark.text).style.color = mark.colour;
  box.hidden = false;
  const wide = box.offsetWidth, high = box.offsetHeight;
  box.style.left = (event.clientX + 14 + wide > innerWidth ? event.clientX - wide - 10 : event.clientX + 14) + "px";
  box.style.top = Math.max(Math.min(event.clientY + 10, innerHeight - high - 4), 4) + "px";
}

function controls() {
  byId("tabs").replaceChildren();
  for (const b of doc.boards) make(byId("tabs"), "a", b.title, { href: "#", className: b.name === state.board ? "here" : "", onclick: (event) => { event.preventDefault(); state.board = b.name; state.choice = {}; controls(); show(); } });
  byId("variables").replaceChildren();
  for (const variable of board().variables) {
    const label = make(byId("variables"), "label", variable.title);
    const field = make(label, variable.values ? "select" : "input");
    if (variable.values) for (const value of ["", ...variable.values]) make(field, "option", value || "all", { value });
    field.value = state.choice[variable.name] || "";
    field.onchange = () => { state.choice[variable.name] = field.value.trim(); show(); };
  }
  byId("span").replaceChildren();
  for (const s of doc.spans) make(byId("span"), "option", s.name, { value: s.name });
  byId("span").value = state.span;
  byId("span").onchange = () => { state.span = byId("span").value; state.zoom = null; show(); };
  byId("back").onclick = () => { state.zoom = null; show(); };
}

readHash();
controls();
show();
window.onresize = () => show.found && drawAll(view(show.found));
window.onhashchange = () => { readHash(); controls(); show(); };
if (isLive) setInterval(() => { if (!state.zoom && state.hover === null && !document.hidden) show(); }, REFRESH_MS);
