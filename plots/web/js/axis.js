// @ts-check
// The axis of time: round steps, and what to write at them.

const ROUND = [1, 2, 5];

/**
 * Ticks at round times, about so many.
 * @param {number} from
 * @param {number} to
 * @param {number} most
 * @returns {{step: number, ticks: number[]}}
 */
export function ticks(from, to, most) {
  const rough = (to - from) / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = Math.max(1, power * (ROUND.find((each) => each * power >= rough) ?? 10));
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return { step, ticks: found };
}

/**
 * What a figure's axis counts in: ns, and the unit's name.
 * @param {number} to
 * @returns {[number, string]}
 */
export function unit(to) {
  if (to >= 1e9) return [1e9, 's'];
  if (to >= 1e6) return [1e6, 'ms'];
  if (to >= 1e3) return [1e3, 'µs'];
  return [1, 'ns'];
}

/**
 * @param {number} time
 * @param {number} step
 * @param {[number, string]} of
 */
export function label(time, step, [size, name]) {
  const digits = Math.max(0, Math.ceil(-Math.log10(step / size) - 1e-9));
  return `${(time / size).toFixed(digits)} ${name}`;
}
