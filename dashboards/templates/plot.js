"use strict";
// Draws one panel's series onto a canvas. `view` is {from, until, hover}: what part of time is seen, and where the pointer is.
const PALETTE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#8c6bb1", "#7a9a01", "#b15928", "#1b9e9e", "#999999"];
const FONT = '11px "Helvetica Neue", Helvetica, Arial, "Liberation Sans", "DejaVu Sans", sans-serif';

class Plot {
  constructor(canvas, panel, answer, marks) {
    Object.assign(this, { canvas, panel, answer, marks, alone: null });
    this.format = formatter(panel.unit);
    this.series = answer.series.map((s, i) => ({ ...s, colour: s.colour || PALETTE[i % PALETTE.length] }));
    if (panel.kind === "heatmap") this.buckets = bucketsOf(this.series);
    if (panel.kind === "stack") this.tops = stacked(this.series);
  }
  seen() { return this.series.filter((s) => this.alone === null || s.name === this.alone); }
  index(t) { return Math.round((t - this.answer.from) / this.answer.step); }
  time(i) { return this.answer.from + i * this.answer.step; }
  x(t) { return this.left + ((t - this.view.from) / (this.view.until - this.view.from)) * this.width; }
  y(value) { return this.top + this.height * (1 - value / this.max); }
  at(clientX) {
    const box = this.canvas.getBoundingClientRect();
    const share = (clientX - box.left - this.left) / this.width;
    return this.view.from + Math.min(Math.max(share, 0), 1) * (this.view.until - this.view.from);
  }

  draw(view) {
    this.view = view;
    const ratio = window.devicePixelRatio || 1, box = this.canvas.getBoundingClientRect();
    this.canvas.width = box.width * ratio; this.canvas.height = box.height * ratio;
    const pen = (this.pen = this.canvas.getContext("2d"));
    pen.scale(ratio, ratio); pen.font = FONT; pen.textBaseline = "middle";
    const rows = this.panel.kind === "cells" ? this.seen() : [];
    this.left = rows.length ? Math.min(Math.max(...rows.map((s) => pen.measureText(s.name).width)) + 8, box.width / 2) : 58;
    this.top = 6; this.width = box.width - this.left - (rows.length ? 62 : 8); this.height = box.height - this.top - 18;
    if (this.width < 20 || this.height < 10) return;
    this.timeAxis();
    if (this.panel.kind === "cells") this.cells(rows);
    else if (this.panel.kind === "heatmap") this.heat();
    else this.curves();
    this.drawMarks();
    if (view.hover !== null) this.line(this.x(view.hover), "#555", []);
  }

  timeAxis() {
    const { pen } = this, span = this.view.until - this.view.from;
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600].find((s) => span / s <= this.width / 75) || 86400;
    pen.fillStyle = "#5c5c5c"; pen.textAlign = "center";
    for (let t = Math.ceil(this.view.from / step) * step; t <= this.view.until; t += step) {
      const x = this.x(t);
      if (x < this.left + 22 || x > this.left + this.width - 22) continue;
      pen.fillText(clock(t, step < 60), x, this.top + this.height + 10);
      this.line(x, "#eee", []);
    }
  }
  line(x, colour, dash) {
    const { pen } = this;
    pen.strokeStyle = colour; pen.lineWidth = 1; pen.setLineDash(dash);
    pen.beginPath(); pen.moveTo(x, this.top); pen.lineTo(x, this.top + this.height); pen.stroke(); pen.setLineDash([]);
  }
  drawMarks() {
    for (const mark of this.marks) {
      const a = Math.max(this.x(mark.from), this.left), b = Math.min(this.x(mark.until), this.left + this.width);
      if (b < this.left || a > this.left + this.width) continue;
      if (this.panel.kind !== "cells" && this.panel.kind !== "heatmap") { // whose colours speak for themselves
        this.pen.fillStyle = mark.colour + "14"; this.pen.fillRect(a, this.top, Math.max(b - a, 1), this.height);
      }
      this.pen.fillStyle = mark.colour; this.pen.fillRect(a, this.top + this.height, Math.max(b - a, 2), 3);
    }
  }

  range() {
    const [a, b] = [this.index(this.view.from), this.index(this.view.until)];
    return [Math.max(a, 0), Math.min(b, this.answer.count - 1)];
  }
  curves() {
    const { pen } = this, [first, last] = this.range(), isStack = this.panel.kind === "stack" && this.alone === null;
    let top = 0;
    for (const s of this.seen()) for (let i = first; i <= last; i++) top = Math.max(top, (isStack ? this.tops.get(s)[i] : s.values[i]) || 0);
    const steps = niceSteps(top || 1, Math.max(Math.floor(this.height / 34), 2));
    this.max = steps[steps.length - 1] || 1;
    pen.textAlign = "right";
    for (const value of steps) {
      const y = this.y(value);
      pen.strokeStyle = "#eaeaea"; pen.beginPath(); pen.moveTo(this.left, y); pen.lineTo(this.left + this.width, y); pen.stroke();
      pen.fillStyle = "#5c5c5c"; pen.fillText(this.format(value).replace(/ [a-zA-Z ]+(\/s)?$/, (u) => (SCALES[this.panel.unit.split("/")[0]] ? u : "")), this.left - 6, y);
    }
    for (const limit of this.panel.thresholds.slice(1)) {
      if (limit.value > this.max) continue;
      pen.strokeStyle = limit.colour; pen.setLineDash([5, 4]); pen.beginPath();
      pen.moveTo(this.left, this.y(limit.value)); pen.lineTo(this.left + this.width, this.y(limit.value)); pen.stroke(); pen.setLineDash([]);
    }
    pen.save(); pen.beginPath(); pen.rect(this.left, this.top - 3, this.width, this.height + 4); pen.clip();
    const drawn = this.seen();
    for (const s of isStack ? [...drawn].reverse() : drawn) isStack ? this.area(s, drawn, first, last) : this.curve(s.values, s.colour, first, last);
    pen.restore();
  }
  runs(values, first, last) {
    const found = []; let run = null;
    for (let i = Math.max(first - 1, 0); i <= Math.min(last + 1, values.length - 1); i++) {
      if (values[i] === null) { run = null; continue; }
      if (!run) found.push((run = []));
      run.push(i);
    }
    return found;
  }
  curve(values, colour, first, last) {
    const { pen } = this;
    pen.strokeStyle = pen.fillStyle = colour; pen.lineWidth = 1.6; pen.lineJoin = "round";
    for (const run of this.runs(values, first, last)) {
      if (run.length === 1) { pen.fillRect(this.x(this.time(run[0])) - 1.5, this.y(values[run[0]]) - 1.5, 3, 3); continue; }
      pen.beginPath(); run.forEach((i) => pen.lineTo(this.x(this.time(i)), this.y(values[i]))); pen.stroke();
    }
  }
  area(s, drawn, first, last) {
    const { pen } = this, tops = this.tops.get(s), below = drawn[drawn.indexOf(s) - 1], floor = below ? this.tops.get(below) : null;
    pen.fillStyle = s.colour + "d0";
    for (const run of this.runs(tops, first, last)) {
      pen.beginPath(); run.forEach((i) => pen.lineTo(this.x(this.time(i)), this.y(tops[i])));
      [...run].reverse().forEach((i) => pen.lineTo(this.x(this.time(i)), this.y((floor && floor[i]) || 0)));
      pen.closePath(); pen.fill();
    }
  }
  cells(rows) {
    const { pen } = this, [first, last] = this.range(), height = this.height / Math.max(rows.length, 1);
    rows.forEach((s, row) => {
      const y = this.top + row * height, middle = y + height / 2;
      for (let i = first; i <= last; i++) {
        if (s.values[i] === null) continue;
        const a = Math.max(this.x(this.time(i - 0.5)), this.left), b = Math.min(this.x(this.time(i + 0.5)), this.left + this.width);
        pen.fillStyle = colourOf(s.values[i], this.panel.thresholds) || "#0072b2";
        pen.fillRect(a, y + 1, Math.max(b - a + 0.3, 0.5), height - 2);
      }
      pen.fillStyle = "#1a1a1a"; pen.textAlign = "left"; pen.fillText(s.name, 0, middle, this.left - 6);
      const shown = latest(s.values, this.view.hover === null ? last : this.index(this.view.hover));
      pen.fillText(shown === null ? "–" : this.format(shown), this.left + this.width + 6, middle);
    });
  }
  heat() {
    const { pen } = this, { bounds, counts } = this.buckets, [first, last] = this.range();
    let used = counts.map((c, i) => (c.slice(first, last + 1).some((v) => v > 0) ? i : -1)).filter((i) => i >= 0);
    if (!used.length) return;
    const low = Math.max(used[0] - 1, 0), high = used[used.length - 1], rows = high - low + 1, height = this.height / rows;
    const most = Math.max(...used.map((i) => Math.max(...counts[i].slice(first, last + 1))));
    for (let row = low; row <= high; row++) {
      const y = this.top + this.height - (row - low + 1) * height;
      for (let i = first; i <= last; i++) {
        if (!(counts[row][i] > 0)) continue;
        const heat = Math.sqrt(counts[row][i] / most), a = Math.max(this.x(this.time(i - 0.5)), this.left);
        pen.fillStyle = `hsl(${210 - 190 * heat}, 85%, ${88 - 45 * heat}%)`;
        pen.fillRect(a, y, Math.max(Math.min(this.x(this.time(i + 0.5)), this.left + this.width) - a + 0.3, 0.5), height + 0.3);
      }
      if ((row - low) % Math.ceil(14 / height) === 0) { pen.fillStyle = "#5c5c5c"; pen.textAlign = "right"; pen.fillText(isFinite(bounds[row]) ? this.format(bounds[row]) : "more", this.left - 6, y); }
    }
  }
}

function stacked(series) {
  const tops = new Map(); let below = null;
  for (const s of series) {
    const under = below;
    below = s.values.map((v, i) => (v === null ? (under ? under[i] : null) : v + ((under && under[i]) || 0)));
    tops.set(s, below);
  }
  return tops;
}
function bucketsOf(series) {
  const sorted = series.map((s) => ({ bound: s.name === "+Inf" ? Infinity : +s.name, values: s.values })).sort((a, b) => a.bound - b.bound);
  const counts = sorted.map((s, row) => s.values.map((v, i) => (v === null ? 0 : v - ((row && sorted[row - 1].values[i]) || 0))));
  return { bounds: sorted.map((s) => s.bound), counts };
}
function colourOf(value, thresholds) {
  let colour = null;
  for (const limit of thresholds) if (value >= limit.value) colour = limit.colour;
  return colour;
}
function latest(values, until) {
  for (let i = Math.min(until, values.length - 1); i >= 0; i--) if (values[i] !== null) return values[i];
  return null;
}
function niceSteps(top, count) {
  const raw = top / count, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * size).find((s) => s >= raw) || raw;
  return Array.from({ length: Math.ceil(top / step - 1e-9) + 1 }, (_, i) => i * step);
}
function clock(t, withSeconds) { return new Date(t * 1000).toISOString().slice(11, withSeconds ? 19 : 16); }
