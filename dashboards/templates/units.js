"use strict";
// How a value of each unit reads; `formatter(unit)` gives a function of the value.
const SCALES = {
  seconds: [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]],
  bytes: [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]],
};
function short(value) {
  const size = Math.abs(value);
  if (size >= 1e4) return (value / 1e3).toFixed(size >= 1e5 ? 0 : 1) + "k";
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toPrecision(size >= 10 ? 3 : 2).replace(/\.0+$/, "");
}
function formatter(unit) {
  const [base, per] = unit.split("/");
  const scale = SCALES[base];
  if (scale) {
    return (value) => {
      if (!value) return "0";
      const [factor, name] = scale.find(([least]) => Math.abs(value) >= least) || scale[scale.length - 1];
      return short(value / factor) + " " + name + (per ? "/s" : "");
    };
  }
  if (unit === "share") return (value) => short(+(100 * value).toPrecision(3)) + " %";
  if (unit === "percent") return (value) => short(value) + " %";
  if (unit === "number") return short;
  if (unit === "bool") return (value) => (value >= 1 ? "yes" : "no");
  return (value) => short(value) + " " + unit;
}
