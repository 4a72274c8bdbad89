// @ts-check
// What the program says of itself: brackets over its spans, flags at its marks; and whom a wait for a lock was for.
import { button, make, table } from './dom.js';
import { count, duration, share, time } from './units.js';

/** @typedef {import('./types').Facts} Facts */
/** @typedef {import('./types').Interval} Interval */
/** @typedef {import('./picture.js').Picture} Picture */

/** Pixels that a row of spans takes above its lane. */
export const ROW = 13;
/** So many rows of them there are at most: what overlaps more is not drawn, but counted. */
export const ROWS = 3;
const FLAG = 5;

/**
 * How many rows of spans each lane has.
 * @param {Facts} facts
 * @returns {number[]}
 */
export function spanRows(facts) {
  const rows = facts.lanes.map(() => 0);
  const { lane, row } = facts.said.spans;
  lane.forEach((of, at) => {
    rows[of] = Math.min(Math.max(rows[of], row[at] + 1), ROWS);
  });
  facts.said.marks.lane.forEach((of) => {
    rows[of] = Math.max(rows[of], 1);
  });
  return rows;
}

/**
 * Draw spans and marks over the lanes.
 * @param {CanvasRenderingContext2D} paper
 * @param {Picture} picture
 * @param {number} width CSS pixels
 * @param {number} theme
 */
export function drawSaid(paper, picture, width, theme) {
  const { facts } = picture.store;
  const { spans, marks, names } = facts.said;
  const { from, to } = picture.view;
  const scroll = picture.stage.scrollTop;
  const tops = new Map(picture.rows.map((row) => (row.kind === 'lane' ? [row.lane, row.top - scroll] : [-1, 0])));
  /** The last pixel that has a bracket, by lane and row: more in one are one. @type {Map<number, number>} */
  const drawn = new Map();
  paper.font = '10px system-ui, sans-serif';
  paper.textBaseline = 'middle';
  for (let at = 0; at < spans.lane.length; at += 1) {
    const begin = spans.begin[at];
    const end = begin + spans.duration[at];
    const top = tops.get(spans.lane[at]);
    if (end < from || begin > to || spans.row[at] >= ROWS || top === undefined) continue;
    const left = Math.max(picture.xOf(begin), -2);
    const right = Math.min(picture.xOf(end), width + 2);
    const key = spans.lane[at] * ROWS + spans.row[at];
    if (right - left < 1 && Math.round(left) === drawn.get(key)) continue;
    drawn.set(key, Math.round(left));
    const y = Math.round(top - ROW * (spans.row[at] + 1) + ROW / 2) + 0.5;
    paper.fillStyle = facts.colours.ink[theme];
    paper.fillRect(left, y, Math.max(right - left, 1), 1);
    if (begin >= from) paper.fillRect(left, y, 1, 5);
    if (end <= to) paper.fillRect(right - 1, y, 1, 5);
    const room = right - left - 8;
    const name = names[spans.name[at]];
    if (room < 20) continue;
    const words = fitted(paper, name, room);
    if (!words) continue;
    const wide = paper.measureText(words).width;
    const x = (left + right - wide) / 2;
    paper.fillStyle = facts.colours.ground[theme];
    paper.fillRect(x - 2, y - 5, wide + 4, 10);
    paper.fillStyle = facts.colours.ink[theme];
    paper.fillText(words, x, y);
  }
  paper.fillStyle = facts.colours.flag[theme];
  for (let at = 0; at < marks.lane.length; at += 1) {
    const top = tops.get(marks.lane[at]);
    if (marks.time[at] < from || marks.time[at] > to || top === undefined) continue;
    const x = picture.xOf(marks.time[at]);
    paper.beginPath();
    paper.moveTo(x, top + 1);
    paper.lineTo(x - FLAG, top - FLAG - 1);
    paper.lineTo(x + FLAG, top - FLAG - 1);
    paper.fill();
  }
}

/**
 * As much of a name as fits, or nothing.
 * @param {CanvasRenderingContext2D} paper
 * @param {string} name
 * @param {number} room
 */
function fitted(paper, name, room) {
  if (paper.measureText(name).width <= room) return name;
  const most = Math.floor(room / 6);
  return most < 4 ? '' : `${name.slice(0, most - 1)}…`;
}

/**
 * What is said at a point above a lane: lines of text, none if there is nothing.
 * @param {Picture} picture
 * @param {number} x
 * @param {number} y CSS pixels from the picture's top
 * @returns {string[]}
 */
export function saidAt(picture, x, y) {
  const { facts } = picture.store;
  const { spans, marks, names } = facts.said;
  const at = y + picture.stage.scrollTop;
  const row = picture.rows.find(
    (each) => each.kind === 'lane' && at >= each.top - ROW * (picture.spans[each.lane] ?? 0) && at < each.top,
  );
  if (!row) return [];
  const when = picture.timeAt(x);
  const near = picture.timeAt(x + FLAG) - when;
  const above = Math.floor((row.top - at) / ROW);
  const said = [];
  for (let i = 0; i < marks.lane.length; i += 1) {
    if (marks.lane[i] === row.lane && Math.abs(marks.time[i] - when) <= near) {
      said.push(`${names[marks.name[i]]} at ${time(marks.time[i], facts.step)}`);
    }
  }
  for (let i = 0; i < spans.lane.length; i += 1) {
    const end = spans.begin[i] + spans.duration[i];
    if (spans.lane[i] !== row.lane || spans.row[i] !== above || spans.begin[i] > when || end < when) continue;
    said.push(`${names[spans.name[i]]}: ${duration(spans.duration[i])} from ${time(spans.begin[i], facts.step)}`);
  }
  return said.slice(0, 8);
}

/**
 * The tables of spans: each name, and the slowest with who delayed them.
 * @param {Facts} facts
 * @param {(lane: number) => string} name
 * @param {(from: number, to: number) => void} go
 * @returns {HTMLElement[]}
 */
export function saidTables(facts, name, go) {
  const { figures, slowest, parts, names, left_out } = facts.said;
  const shown = parts.map((_, at) => at).filter((at) => figures.some((of) => of.parts[at] > 0));
  /** @param {number} ns @returns {[string, number]} */
  const cell = (ns) => [duration(ns), Math.round(ns)];
  const of = table(
    'By name: how long they took, and what their threads did meanwhile',
    ['span', 'count', 'p50', 'p99', 'max', ...shown.map((at) => parts[at])],
    figures.map((each) => [
      names[each.name],
      /** @type {[string, number]} */ ([count(each.count), each.count]),
      cell(each.p50),
      cell(each.p99),
      cell(each.max),
      ...shown.map((at) => share(each.parts[at] / Math.max(each.total, 1))),
    ]),
  );
  const slow = table(
    'The slowest; a click shows it',
    ['span', 'thread', 'took', 'delayed by'],
    slowest.map((each) => [
      button(names[each.name], () => go(each.begin, each.begin + each.duration)),
      name(each.lane),
      cell(each.duration),
      make('div', {}, ...each.delays.map((delay) => make('div', {}, delay))),
    ]),
  );
  const note = left_out ? [make('p', {}, `${count(left_out)} more spans and marks are not drawn here.`)] : [];
  return [of, slow, ...note];
}

/**
 * The wait for a lock that an interval is, if it is one: its row in the page's list, or -1.
 * @param {Facts} facts
 * @param {Interval} found
 */
export function lockWait(facts, found) {
  if (!facts.groups.locked.includes(found.state)) return -1;
  const { lane, begin, duration: length } = facts.locks;
  const middle = (found.begin + found.end) / 2;
  return lane.findIndex(
    (of, at) => of === found.lane && begin[at] <= middle + facts.step && middle <= begin[at] + length[at] + facts.step,
  );
}
