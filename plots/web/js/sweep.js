// @ts-check
// What a span of time amounts to: who waited, for whom and for which line, from the intervals in it.

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./types').Block} Block */

/**
 * @typedef {object} Line
 * @property {number} place
 * @property {number} waited ns that threads waited during these holds
 * @property {number} holds during which somebody waited
 * @property {number} longest ns that one of them was contended
 * @property {Set<number>} lanes that waited
 */

/**
 * @typedef {object} Amount
 * @property {number} from
 * @property {number} to
 * @property {Float64Array[]} times of each lane, ns in each state
 * @property {Int32Array} waits of each lane: how many began
 * @property {Float64Array} longest of each lane: the longest wait that touches the span, in full
 * @property {number} held ns that somebody had a GIL, summed over the GILs
 * @property {number} contended ns that somebody waited, the same
 * @property {Map<number, Float64Array>} blame of each lane that waited: ns for each lane; the last is nobody
 * @property {Map<number, Line>} lines
 * @property {{lane: number, begin: number, end: number, place: number} | null} worst the longest wait
 */

const STATES = 16;
const SLICE = 60_000;

/** One lane's way through its intervals. */
class Cursor {
  /**
   * @param {Store} store
   * @param {number} lane
   * @param {number} from
   */
  constructor(store, lane, from) {
    this.store = store;
    this.lane = lane;
    const facts = store.facts.lanes[lane];
    this.last = facts.blocks[1];
    this.number = store.blockAt(facts, from);
    /** @type {Block | null} */
    this.block = this.number < this.last ? store.read(this.number) : null;
    this.at = 0;
    while (this.block && this.end <= from && this.step());
  }

  get end() {
    return this.block && this.block.count ? this.block.bounds[this.at + 1] : Infinity;
  }

  /** @returns {boolean} whether there is another interval */
  step() {
    if (!this.block) return false;
    this.at += 1;
    if (this.at < this.block.count) return true;
    this.number += 1;
    this.at = 0;
    this.block = this.number < this.last ? this.store.read(this.number) : null;
    return this.block !== null && this.block.count > 0;
  }
}

/**
 * Go through all boundaries of a span in the order of time.
 * @param {Store} store
 * @param {number} from
 * @param {number} to
 * @param {(part: number) => Promise<boolean>} pause called now and then; false: give up
 * @returns {Promise<Amount | null>}
 */
export async function sweep(store, from, to, pause) {
  const { lanes, gils, processes, groups } = store.facts;
  const held = new Uint8Array(STATES);
  for (const state of groups.held) held[state] = 1;
  const nobody = lanes.length;
  /** @type {Amount} */
  const amount = {
    from,
    to,
    times: lanes.map(() => new Float64Array(STATES)),
    waits: new Int32Array(lanes.length),
    longest: new Float64Array(lanes.length),
    held: 0,
    contended: 0,
    blame: new Map(),
    lines: new Map(),
    worst: null,
  };
  const ruled = gils.map(() => ({ since: from, holder: -1, place: 0, contended: 0, waiting: /** @type {number[]} */ ([]) }));
  const gilOf = lanes.map((lane) => processes[lane.process].gils[0] ?? -1);

  /** @param {typeof ruled[number]} gil @param {number} time */
  const account = (gil, time) => {
    const span = time - gil.since;
    gil.since = time;
    if (span <= 0) return;
    if (gil.holder >= 0) amount.held += span;
    if (!gil.waiting.length) return;
    amount.contended += span;
    for (const lane of gil.waiting) {
      let row = amount.blame.get(lane);
      if (!row) amount.blame.set(lane, (row = new Float64Array(nobody + 1)));
      row[gil.holder < 0 ? nobody : gil.holder] += span;
    }
    if (gil.holder < 0) return;
    let line = amount.lines.get(gil.place);
    if (!line) {
      line = { place: gil.place, waited: 0, holds: 0, longest: 0, lanes: new Set() };
      amount.lines.set(gil.place, line);
    }
    if (!gil.contended) line.holds += 1;
    gil.contended += span;
    line.waited += span * gil.waiting.length;
    if (gil.contended > line.longest) line.longest = gil.contended;
    for (const lane of gil.waiting) line.lanes.add(lane);
  };

  /** @param {Cursor} cursor @param {number} before the state until now */
  const enter = (cursor, before) => {
    const { block, at, lane } = cursor;
    if (!block) return;
    const state = block.state[at];
    const begin = block.bounds[at];
    const gil = ruled[block.about[at] ? block.about[at] - 1 : gilOf[lane]];
    const now = Math.max(begin, from);
    if (gil && held[state]) {
      account(gil, now);
      if (gil.holder !== lane || !held[before]) gil.contended = 0;
      gil.holder = lane;
      gil.place = block.place[at];
    } else if (gil && state === groups.waiting) {
      account(gil, now);
      gil.waiting.push(lane);
      if (begin >= from) amount.waits[lane] += 1;
      const length = block.bounds[at + 1] - begin;
      if (length > amount.longest[lane]) amount.longest[lane] = length;
      if (!amount.worst || length > amount.worst.end - amount.worst.begin) {
        amount.worst = { lane, begin, end: block.bounds[at + 1], place: block.place[at] };
      }
    }
  };

  /** @param {Cursor} cursor @param {number} time @returns {number} the state that ended */
  const leave = (cursor, time) => {
    const { block, at, lane } = cursor;
    if (!block) return 0;
    const state = block.state[at];
    amount.times[lane][state] += time - Math.max(block.bounds[at], from);
    const gil = ruled[block.about[at] ? block.about[at] - 1 : gilOf[lane]];
    if (!gil) return state;
    if (held[state] && gil.holder === lane) {
      account(gil, time);
      gil.holder = -1;
    } else if (state === groups.waiting) {
      account(gil, time);
      gil.waiting.splice(gil.waiting.indexOf(lane), 1);
    }
    return state;
  };

  const heap = lanes
    .map((lane, index) => ({ lane, index }))
    .filter(({ lane }) => lane.end > from && lane.begin < to && lane.intervals > 0)
    .map(({ index }) => new Cursor(store, index, from))
    .filter((cursor) => cursor.block && cursor.block.count > 0 && cursor.block.bounds[cursor.at] < to)
    .sort((a, b) => begins(a) - begins(b));
  const begun = new Set();
  const order = new Heap(heap.map((cursor) => ({ cursor, time: Math.max(begins(cursor), from) })));
  let steps = 0;
  for (let next = order.first; next && next.time < to; next = order.first) {
    const { cursor } = next;
    let before = 0;
    if (begun.has(cursor)) {
      before = leave(cursor, next.time);
      if (!cursor.step() || begins(cursor) >= to) {
        begun.delete(cursor);
        order.drop();
        continue;
      }
    } else {
      begun.add(cursor);
    }
    enter(cursor, before);
    order.replace(cursor.end);
    steps += 1;
    if (steps % SLICE === 0 && !(await pause((next.time - from) / (to - from)))) return null;
  }
  for (const cursor of begun) leave(cursor, Math.min(to, cursor.end));
  return amount;
}

/** @param {Cursor} cursor */
function begins(cursor) {
  return cursor.block ? cursor.block.bounds[cursor.at] : Infinity;
}

/** Cursors by the time of their next boundary. */
class Heap {
  /** @param {{cursor: Cursor, time: number}[]} items in order */
  constructor(items) {
    this.items = items;
  }

  get first() {
    return this.items[0];
  }

  /** @param {number} time of the first one from now on */
  replace(time) {
    this.items[0].time = time;
    this.sink();
  }

  drop() {
    const last = this.items.pop();
    if (this.items.length && last) {
      this.items[0] = last;
      this.sink();
    }
  }

  sink() {
    const { items } = this;
    const item = items[0];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1].time < items[child].time) child += 1;
      if (items[child].time >= item.time) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = item;
  }
}
