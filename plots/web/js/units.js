// @ts-check
// Figures for people, written as analysis/units.py writes them.

/** @type {[number, string][]} */
const UNITS = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
];

/**
 * A duration with three digits: "4.98 ms", "512 ns"; "0" for none.
 * @param {number} ns
 * @returns {string}
 */
export function duration(ns) {
  if (Math.round(ns) <= 0) return '0';
  for (const [size, unit] of UNITS) {
    if (ns >= size * 0.9995 || size === 1) {
      const value = ns / size;
      const digits = size === 1 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
      return `${value.toFixed(digits)} ${unit}`;
    }
  }
  return '';
}

/**
 * A share of 1 in per cent; what is small is not shown as nothing, nor what is not all as all.
 * @param {number} part
 * @returns {string}
 */
export function share(part) {
  const percent = 100 * part;
  if (percent === 0 || (percent >= 1 && percent < 99.5) || percent >= 100) return `${percent.toFixed(0)} %`;
  if (percent >= 0.05 && percent <= 99.95) return `${percent.toFixed(1)} %`;
  return percent < 1 ? '< 0.1 %' : '> 99.9 %';
}

/**
 * A count with its digits in groups: "1,234,567".
 * @param {number} number
 * @returns {string}
 */
export function count(number) {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/**
 * A time since the begin, with the digits that a step of so many ns needs.
 * @param {number} ns
 * @param {number} step
 * @returns {string}
 */
export function time(ns, step) {
  if (Math.round(ns) === 0) return '0';
  const [size, unit] = UNITS.find(([each]) => Math.abs(ns) >= each) ?? [1, 'ns'];
  const digits = Math.max(0, Math.min(9, Math.ceil(Math.log10(size / Math.max(step, 1)))));
  return `${(ns / size).toFixed(digits)} ${unit}`;
}

/**
 * ns from a text such as "12ms" or "1.5" (seconds); NaN if it is none.
 * @param {string} text
 * @returns {number}
 */
export function parseTime(text) {
  const found = /^\s*(-?[0-9]*\.?[0-9]+)\s*(ns|us|µs|ms|s)?\s*$/.exec(text);
  if (!found) return NaN;
  const sizes = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9 };
  return Math.round(Number(found[1]) * sizes[/** @type {keyof typeof sizes} */ (found[2] ?? 's')]);
}

/**
 * A sentence with its braces filled.
 * @param {string} template
 * @param {Record<string, string>} values
 * @returns {string}
 */
export function filled(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/**
 * "1 thread", "3 threads".
 * @param {number} number
 * @param {string} one
 * @returns {string}
 */
export function plural(number, one) {
  return `${count(number)} ${one}${number === 1 ? '' : 's'}`;
}
