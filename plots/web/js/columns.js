// @ts-check
// How much of each pixel column a lane spent in each state: exact sums, as plots/timeline/coverage.py has them.

/** @typedef {import('./store.js').Store} Store */

/** So many bins must fit into a column for its shares to be taken from them: its edges then lie on bins' edges. */
const BINS = 2;

/** What an interval of no width adds: enough to be seen to be there, too little to be an area. */
const PRESENT = 1e-7;

/**
 * Fill `out[slot * columns + x]` with the share of column x in the state of that slot.
 * @param {Store} store
 * @param {number} index of the lane
 * @param {number} from ns
 * @param {number} to ns
 * @param {number} columns
 * @param {Int8Array} slots of each state; -1: not wanted
 * @param {Float32Array} out
 */
export function coverage(store, index, from, to, columns, slots, out) {
  out.fill(0);
  const lane = store.facts.lanes[index];
  if (to <= lane.begin || from >= lane.end) return;
  const width = (to - from) / columns;
  if (lane.bins && (width >= BINS * lane.width || !store.has(lane, from, to))) {
    fromBins(store, index, from, width, columns, slots, out);
  } else {
    fromIntervals(store, index, from, to, width, columns, slots, out);
  }
}

/**
 * @param {Store} store
 * @param {number} index
 * @param {number} from
 * @param {number} width
 * @param {number} columns
 * @param {Int8Array} slots
 * @param {Float32Array} out
 */
function fromBins(store, index, from, width, columns, slots, out) {
  const lane = store.facts.lanes[index];
  const sums = store.sums[index];
  const snap = width >= BINS * lane.width;
  const edges = new Float64Array(columns + 1);
  for (let x = 0; x <= columns; x += 1) {
    const edge = (from + x * width - lane.begin) / lane.width;
    edges[x] = snap ? Math.round(edge) : edge;
  }
  for (let state = 0; state < sums.length; state += 1) {
    const sum = sums[state];
    const slot = slots[state];
    if (!sum || slot < 0) continue;
    const base = slot * columns;
    let before = upTo(sum, edges[0], lane.bins);
    for (let x = 0; x < columns; x += 1) {
      const after = upTo(sum, edges[x + 1], lane.bins);
      out[base + x] += (after - before) / ((edges[x + 1] - edges[x]) * lane.width);
      before = after;
    }
  }
}

/**
 * The time before an edge; within a bin as if it were spread evenly over it.
 * @param {Float64Array} sum
 * @param {number} edge in bins
 * @param {number} bins
 */
function upTo(sum, edge, bins) {
  if (edge <= 0) return 0;
  if (edge >= bins) return sum[bins];
  const whole = Math.floor(edge);
  const part = edge - whole;
  return part ? sum[whole] + part * (sum[whole + 1] - sum[whole]) : sum[whole];
}

/**
 * @param {Store} store
 * @param {number} index
 * @param {number} from
 * @param {number} to
 * @param {number} width
 * @param {number} columns
 * @param {Int8Array} slots
 * @param {Float32Array} out
 */
function fromIntervals(store, index, from, to, width, columns, slots, out) {
  const lane = store.facts.lanes[index];
  if (!store.planes) return;
  for (let number = store.blockAt(lane, from); number < lane.blocks[1]; number += 1) {
    if (store.begin[number] >= to) return;
    const { count, bounds, state } = store.block(number);
    for (let i = 0; i < count; i += 1) {
      if (bounds[i + 1] < from) continue;
      if (bounds[i] >= to) return;
      const slot = slots[state[i]];
      if (slot < 0) continue;
      const left = Math.max((bounds[i] - from) / width, 0);
      const right = Math.min((bounds[i + 1] - from) / width, columns);
      const base = slot * columns;
      const first = Math.floor(left);
      const last = Math.floor(right);
      if (first === last || right === first + 1) {
        if (first < columns) out[base + first] += Math.max(right - left, PRESENT);
        continue;
      }
      out[base + first] += first + 1 - left;
      for (let x = first + 1; x < last; x += 1) out[base + x] = 1;
      if (last < columns) out[base + last] += right - last;
    }
  }
}

/**
 * Where the lane was held at one place, as shares of columns.
 * @param {Store} store
 * @param {Float64Array} sum ns at that place before each of `sum.length` equal bins of the trace
 * @param {number} from
 * @param {number} to
 * @param {number} columns
 * @param {Float32Array} out
 */
export function fromSum(store, sum, from, to, columns, out) {
  const bins = sum.length - 1;
  const width = store.facts.length / bins;
  let before = upTo(sum, from / width, bins);
  for (let x = 0; x < columns; x += 1) {
    const after = upTo(sum, (from + ((x + 1) * (to - from)) / columns) / width, bins);
    out[x] = ((after - before) * columns) / (to - from);
    before = after;
  }
}
