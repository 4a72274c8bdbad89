// @ts-check
// What is seen: a stretch of time, a span that is selected, an interval that the cursor is at.
import { parseTime } from './units.js';

/** @typedef {import('./types').Interval} Interval */
/** @typedef {import('./waits.js').Holder} Holder */

export class View {
  /**
   * @param {number} length of the trace, ns
   * @param {[number, number]} first what is seen at first
   */
  constructor(length, first) {
    this.length = length;
    this.from = first[0];
    this.to = first[1];
    /** @type {[number, number] | null} */
    this.span = null;
    /** @type {Interval | null} */
    this.cursor = null;
    /** @type {{wait: Interval, holders: Holder[]} | null} */
    this.arrows = null;
    /** @type {{place: number, sums: (Float64Array | null)[]} | null} */
    this.highlight = null;
    /** @type {Set<(what: string) => void>} */
    this.listeners = new Set();
  }

  /** @param {string} what changed: "time", "span", "cursor", "arrows", "highlight" */
  changed(what) {
    for (const each of this.listeners) each(what);
  }

  get width() {
    return this.to - this.from;
  }

  /**
   * See a stretch, cut to the trace, at least 20 ns wide.
   * @param {number} from
   * @param {number} to
   */
  show(from, to) {
    const width = Math.min(Math.max(to - from, 20), this.length);
    const begin = Math.min(Math.max((from + to - width) / 2, 0), this.length - width);
    if (begin === this.from && begin + width === this.to) return;
    this.from = begin;
    this.to = begin + width;
    this.changed('time');
  }

  /**
   * @param {number} factor below 1: closer
   * @param {number} at the time that stays where it is
   */
  zoom(factor, at) {
    const width = Math.min(Math.max(this.width * factor, 20), this.length);
    const begin = at - ((at - this.from) * width) / this.width;
    this.show(begin, begin + width);
  }

  /** @param {number} part of the width */
  pan(part) {
    const by = Math.min(Math.max(part * this.width, -this.from), this.length - this.to);
    this.show(this.from + by, this.to + by);
  }

  fit() {
    this.show(0, this.length);
  }

  /** @param {number} from @param {number} to */
  select(from, to) {
    const low = Math.max(Math.min(from, to), 0);
    const high = Math.min(Math.max(from, to), this.length);
    this.span = high > low ? [low, high] : null;
    this.changed('span');
  }

  clear() {
    this.span = null;
    this.arrows = null;
    this.highlight = null;
    this.changed('span');
    this.changed('arrows');
    this.changed('highlight');
  }

  /** The place as a link's fragment: "#t=0ns,1000ns&span=10ns,20ns". */
  get fragment() {
    const at = /** @param {number} ns */ (ns) => `${Math.round(ns)}ns`;
    const span = this.span ? `&span=${at(this.span[0])},${at(this.span[1])}` : '';
    return `#t=${at(this.from)},${at(this.to)}${span}`;
  }

  /**
   * Go where a fragment says, if it says something.
   * @param {string} fragment
   */
  follow(fragment) {
    const wanted = new URLSearchParams(fragment.replace(/^#/, ''));
    const [from, to] = (wanted.get('t') ?? '').split(',').map(parseTime);
    if (from < to) this.show(from, to);
    const [begin, end] = (wanted.get('span') ?? '').split(',').map(parseTime);
    if (begin < end) this.select(begin, end);
  }
}
