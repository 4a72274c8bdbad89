// @ts-check
// The lanes: sums of their bins at once, their intervals when they are asked for (plots/web/lanes.py wrote them).
import { varints } from './bytes.js';

/** @typedef {import('./types').Facts} Facts */
/** @typedef {import('./types').LaneFacts} LaneFacts */
/** @typedef {import('./types').Block} Block */
/** @typedef {import('./types').Interval} Interval */

const BLOCK = 512;
const STATE = 0x0f;
const PLACE_CHANGED = 0x10;
const ABOUT_CHANGED = 0x20;
const UNFINISHED = 0x40;
const CACHED = 8192;
const STATES = 16;

export class Store {
  /**
   * @param {Facts} facts
   * @param {Uint8Array} index
   * @param {Uint8Array} bins
   */
  constructor(facts, index, bins) {
    this.facts = facts;
    /** @type {Uint8Array | null} */
    this.planes = null;
    const blocks = facts.planes.blocks;
    const { numbers } = varints(index, 0, 3 * blocks);
    /** ns at which each block begins. */
    this.begin = new Float64Array(blocks);
    this.size = new Int32Array(blocks);
    this.kept = new Uint8Array(blocks);
    this.tagAt = new Float64Array(blocks);
    this.durationAt = new Float64Array(blocks);
    this.extraAt = new Float64Array(blocks);
    let tag = 0;
    let duration = facts.planes.tags;
    let extra = facts.planes.tags + facts.planes.durations;
    for (const lane of facts.lanes) {
      let time = lane.first;
      for (let block = lane.blocks[0]; block < lane.blocks[1]; block += 1) {
        const before = (block - lane.blocks[0]) * BLOCK;
        this.begin[block] = time * facts.step;
        this.size[block] = Math.min(BLOCK, lane.intervals - before);
        time += numbers[block];
        this.kept[block] = numbers[blocks + block] > 0 ? 1 : 0;
        this.tagAt[block] = tag;
        this.durationAt[block] = duration;
        this.extraAt[block] = extra;
        if (this.kept[block]) tag += this.size[block];
        duration += numbers[blocks + block];
        extra += numbers[2 * blocks + block];
      }
    }
    /** @type {Map<number, Block>} */
    this.cache = new Map();
    /** For each lane, for each state: ns in it before each bin edge. @type {(Float64Array | undefined)[][]} */
    this.sums = [];
    let at = 0;
    for (const lane of facts.lanes) {
      /** @type {(Float64Array | undefined)[]} */
      const sums = new Array(STATES).fill(undefined);
      if (lane.bins) {
        const rest = new Float64Array(lane.bins + 1);
        for (let bin = 1; bin <= lane.bins; bin += 1) rest[bin] = Math.min(bin * lane.width, lane.end - lane.begin);
        for (const state of lane.written) {
          const read = varints(bins, at, lane.bins);
          at = read.next;
          const sum = new Float64Array(lane.bins + 1);
          for (let bin = 0; bin < lane.bins; bin += 1) sum[bin + 1] = sum[bin] + read.numbers[bin];
          for (let bin = 0; bin <= lane.bins; bin += 1) rest[bin] -= sum[bin];
          sums[state] = sum;
        }
        sums[lane.derived] = rest;
      }
      this.sums.push(sums);
    }
  }

  /**
   * Whether a lane's intervals between two times are here.
   * @param {LaneFacts} lane
   * @param {number} from
   * @param {number} to
   */
  has(lane, from, to) {
    if (!this.planes) return false;
    if (this.facts.complete) return true;
    for (let block = this.blockAt(lane, from); block < lane.blocks[1] && this.begin[block] < to; block += 1) {
      if (!this.kept[block]) return false;
    }
    return true;
  }

  /**
   * The last block of a lane that begins at a time or before it (or its first one).
   * @param {LaneFacts} lane
   * @param {number} time
   */
  blockAt(lane, time) {
    let low = lane.blocks[0];
    let high = lane.blocks[1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.begin[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, lane.blocks[0]);
  }

  /**
   * The intervals of a block, kept for the next time.
   * @param {number} block
   * @returns {Block}
   */
  block(block) {
    let found = this.cache.get(block);
    if (!found) {
      if (this.cache.size >= CACHED) {
        for (const old of this.cache.keys()) {
          this.cache.delete(old);
          if (this.cache.size < CACHED / 2) break;
        }
      }
      found = this.read(block);
      this.cache.set(block, found);
    }
    return found;
  }

  /**
   * Read a block.
   * @param {number} block
   * @returns {Block}
   */
  read(block) {
    const bytes = this.planes;
    const count = bytes && this.kept[block] ? this.size[block] : 0;
    const found = {
      count,
      bounds: new Float64Array(count + 1),
      state: new Uint8Array(count),
      unfinished: new Uint8Array(count),
      place: new Int32Array(count),
      about: new Int32Array(count),
    };
    found.bounds[0] = this.begin[block];
    if (!bytes) return found;
    const step = this.facts.step;
    const tags = this.tagAt[block];
    let at = this.durationAt[block];
    let extra = this.extraAt[block];
    const places = new Int32Array(STATES);
    const abouts = new Int32Array(STATES);
    let time = this.begin[block] / step;
    const next = () => {
      let byte = bytes[extra++];
      let value = byte & 0x7f;
      let shift = 7;
      while (byte >= 0x80) {
        byte = bytes[extra++];
        value |= (byte & 0x7f) << shift;
        shift += 7;
      }
      return value;
    };
    for (let i = 0; i < count; i += 1) {
      const tag = bytes[tags + i];
      const state = tag & STATE;
      let byte = bytes[at++];
      let value = byte & 0x7f;
      if (byte >= 0x80) {
        let scale = 128;
        do {
          byte = bytes[at++];
          value += (byte & 0x7f) * scale;
          scale *= 128;
        } while (byte >= 0x80);
      }
      if (tag & PLACE_CHANGED) places[state] = next();
      if (tag & ABOUT_CHANGED) abouts[state] = next();
      time += value;
      found.bounds[i + 1] = time * step;
      found.state[i] = state;
      found.place[i] = places[state];
      found.about[i] = abouts[state];
      found.unfinished[i] = tag & UNFINISHED ? 1 : 0;
    }
    return found;
  }

  /**
   * Call for each interval of a lane that touches a span, in order.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   * @param {(block: Block, at: number, number: number) => boolean | void} each true: enough
   */
  walk(lane, from, to, each) {
    const facts = this.facts.lanes[lane];
    if (!this.planes || to < facts.begin || from > facts.end) return;
    for (let number = this.blockAt(facts, from); number < facts.blocks[1]; number += 1) {
      if (this.begin[number] > to) return;
      const block = this.block(number);
      let at = 0;
      let high = block.count;
      while (at < high) {
        const middle = (at + high) >> 1;
        if (block.bounds[middle + 1] < from) at = middle + 1;
        else high = middle;
      }
      for (; at < block.count && block.bounds[at] <= to; at += 1) if (each(block, at, number)) return;
    }
  }

  /**
   * @param {number} lane
   * @param {number} number
   * @param {number} at
   * @returns {Interval | null}
   */
  interval(lane, number, at) {
    const facts = this.facts.lanes[lane];
    if (number < facts.blocks[0] || number >= facts.blocks[1] || !this.planes || !this.kept[number]) return null;
    const block = this.block(number);
    return {
      lane,
      block: number,
      at,
      begin: block.bounds[at],
      end: block.bounds[at + 1],
      state: block.state[at],
      unfinished: block.unfinished[at] === 1,
      place: block.place[at],
      about: block.about[at],
    };
  }

  /**
   * The interval of a lane at a time; of several that begin and end there the longest.
   * @param {number} lane
   * @param {number} time
   * @param {number} [near] how far off an interval may be that is preferred to a duller one
   * @returns {Interval | null}
   */
  at(lane, time, near = 0) {
    /** @type {[number, number] | null} */
    let best = null;
    let most = -1;
    const { held, waiting } = this.facts.groups;
    this.walk(lane, time - near, time + near, (block, at, number) => {
      const there = block.bounds[at] <= time && time < block.bounds[at + 1];
      const state = block.state[at];
      const matters = held.includes(state) || state === waiting;
      const rank = (matters ? 2 : 0) + (there ? 1 : 0);
      if (rank > most) {
        most = rank;
        best = [number, at];
      }
    });
    return best ? this.interval(lane, best[0], best[1]) : null;
  }

  /**
   * The interval before or after one.
   * @param {Interval} of
   * @param {-1 | 1} by
   * @returns {Interval | null}
   */
  beside(of, by) {
    const at = of.at + by;
    if (at >= 0 && at < this.size[of.block]) return this.interval(of.lane, of.block, at);
    const block = of.block + by;
    const lane = this.facts.lanes[of.lane];
    if (block < lane.blocks[0] || block >= lane.blocks[1]) return null;
    return this.interval(of.lane, block, by > 0 ? 0 : this.size[block] - 1);
  }
}
