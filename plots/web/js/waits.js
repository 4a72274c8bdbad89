// @ts-check
// Whom a wait was for: who had the lock meanwhile, in turn.

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./types').Interval} Interval */

/**
 * @typedef {object} Holder
 * @property {number} lane
 * @property {number} begin
 * @property {number} end within the wait
 * @property {number} place
 */

const MOST = 2000;

/**
 * The holds of the lock during a wait, in the order of time; cut off after so many.
 * @param {Store} store
 * @param {Interval} wait
 * @returns {{holders: Holder[], more: boolean}}
 */
export function waitedFor(store, wait) {
  const { lanes, groups, processes } = store.facts;
  /** @type {Holder[]} */
  const holders = [];
  let more = false;
  const process = lanes[wait.lane].process;
  const several = processes[process].gils.length > 1;
  lanes.forEach((lane, index) => {
    if (lane.process !== process || index === wait.lane) return;
    /** @type {Holder | null} */
    let open = null;
    let taken = 0;
    store.walk(index, wait.begin, wait.end, (block, at) => {
      const begin = Math.max(block.bounds[at], wait.begin);
      const end = Math.min(block.bounds[at + 1], wait.end);
      const holds = groups.held.includes(block.state[at]) && (!several || block.about[at] === wait.about);
      if (!holds || end <= begin) {
        if (!holds) open = null;
        return false;
      }
      if (open && open.end === begin) {
        open.end = end;
        open.place = block.place[at];
      } else {
        open = { lane: index, begin, end, place: block.place[at] };
        holders.push(open);
        taken += 1;
      }
      if (taken >= MOST) more = true;
      return more;
    });
  });
  holders.sort((a, b) => a.begin - b.begin);
  return { holders, more };
}

/**
 * The ns that each lane's line was held at one place, before each of so many equal bins of the trace.
 * @param {Store} store
 * @param {number} place
 * @param {number} bins
 * @returns {(Float64Array | null)[]} of each lane; null: never
 */
export function heldAt(store, place, bins) {
  const { lanes, groups, length } = store.facts;
  const width = length / bins;
  const held = new Uint8Array(16);
  for (const state of groups.held) held[state] = 1;
  return lanes.map((lane) => {
    /** @type {Float64Array | null} */
    let found = null;
    for (let number = lane.blocks[0]; number < lane.blocks[1]; number += 1) {
      const block = store.read(number);
      for (let i = 0; i < block.count; i += 1) {
        if (block.place[i] !== place || !held[block.state[i]]) continue;
        found ??= new Float64Array(bins + 1);
        let begin = block.bounds[i];
        const end = block.bounds[i + 1];
        let bin = Math.min(Math.floor(begin / width), bins - 1);
        while (begin < end) {
          const until = bin === bins - 1 ? end : Math.min(end, (bin + 1) * width);
          found[bin + 1] += until - begin;
          begin = until;
          bin += 1;
        }
      }
    }
    if (found) for (let bin = 0; bin < bins; bin += 1) found[bin + 1] += found[bin];
    return found;
  });
}
