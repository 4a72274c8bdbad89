// @ts-check
// The lanes of what is seen, and what lies over them: axis, cursor, span, arrows, highlight.
import { label, ticks, unit } from './axis.js';
import { coverage, fromSum } from './columns.js';
import { context, make } from './dom.js';
import { paintLane, paintStack, pixel } from './paint.js';
import { ROW, drawSaid, spanRows } from './said.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./view.js').View} View */
/** @typedef {import('./types').Interval} Interval */

/**
 * @typedef {object} Row
 * @property {'head' | 'lane' | 'owner' | 'waiting'} kind
 * @property {number} process
 * @property {number} lane
 * @property {string} label
 * @property {number} top CSS pixels
 * @property {number} height
 */

const AXIS = 24;
const HEIGHT = { head: 24, lane: 40, owner: 14, waiting: 26 };
const GAP = { head: 2, lane: 6, owner: 3, waiting: 12 };
const STRIPS = 64; // lanes of a process up to which its strips are drawn for what is seen

/**
 * @param {import('./types').Facts} facts
 * @returns {Row[]}
 */
export function plan(facts) {
  /** @type {Row[]} */
  const rows = [];
  const spans = spanRows(facts);
  let top = AXIS + 4;
  /** @param {Row['kind']} kind @param {number} process @param {number} lane @param {string} text */
  const add = (kind, process, lane, text) => {
    rows.push({ kind, process, lane, label: text, top, height: HEIGHT[kind] });
    top += HEIGHT[kind] + GAP[kind];
  };
  facts.processes.forEach((process, index) => {
    if (facts.processes.length > 1) add('head', index, -1, `process ${process.pid} ${process.name}`.trimEnd());
    const mine = facts.lanes.map((lane, at) => ({ lane, at })).filter(({ lane }) => lane.process === index);
    mine.sort((one, other) => Number(one.lane.idle) - Number(other.lane.idle)); // stable
    for (const { lane, at } of mine) {
      top += ROW * spans[at];
      add('lane', index, at, lane.name);
    }
    if (process.gils.length && mine.length <= STRIPS) {
      add('owner', index, -1, 'owner');
      add('waiting', index, -1, 'waiting');
    }
  });
  return rows;
}

export class Picture {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLCanvasElement} overlay
   * @param {HTMLElement} stage
   * @param {Store} store
   * @param {View} view
   * @param {() => number} theme
   */
  constructor(canvas, overlay, stage, store, view, theme) {
    this.canvas = canvas;
    this.overlay = overlay;
    this.stage = stage;
    this.store = store;
    this.view = view;
    this.theme = theme;
    this.rows = plan(store.facts);
    this.spans = spanRows(store.facts);
    const last = this.rows[this.rows.length - 1];
    this.total = last ? last.top + last.height + 8 : AXIS + 20;
    this.stale = true;
    /** @type {ImageData | null} */
    this.image = null;
    this.shares = new Float32Array(0);
    this.scale = 1;
  }

  /** Write the names beside the lanes. @param {HTMLElement} into */
  names(into) {
    const theme = this.theme();
    into.replaceChildren(
      ...this.rows.map((row) => {
        const name = make('div', { class: `name ${row.kind}` }, shortened(row.label));
        name.style.top = `${row.top}px`;
        name.style.height = `${row.height}px`;
        name.title = row.label;
        if (row.kind === 'lane') {
          const lane = this.store.facts.lanes[row.lane];
          name.setAttribute('role', 'option');
          name.id = `lane-${row.lane}`;
          const swatch = make('i');
          swatch.style.background = lane.colour[theme];
          name.prepend(swatch);
        }
        return name;
      }),
    );
  }

  resize() {
    const scale = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.canvas.parentElement?.clientWidth ?? 1));
    const height = Math.max(1, this.stage.clientHeight); // 0 while a panel opens
    this.scale = scale;
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    this.image = new ImageData(this.canvas.width, this.canvas.height);
    this.shares = new Float32Array((this.store.facts.states.length + 1) * this.canvas.width);
    this.stale = true;
  }

  /** @param {number} x CSS pixels */
  timeAt(x) {
    return this.view.from + (x * this.scale * this.view.width) / this.canvas.width;
  }

  /** @param {number} time @returns {number} CSS pixels */
  xOf(time) {
    return ((time - this.view.from) / this.view.width) * (this.canvas.width / this.scale);
  }

  /** @param {number} y CSS pixels from the picture's top @returns {Row | undefined} */
  rowAt(y) {
    const at = y + this.stage.scrollTop;
    return this.rows.find((row) => at >= row.top && at < row.top + row.height);
  }

  /** Paint all that is seen. */
  paint() {
    const { image, canvas, scale, view, store } = this;
    if (!image) return;
    const theme = this.theme();
    const { facts } = store;
    const { width, height } = canvas;
    const pixels = new Uint32Array(image.data.buffer);
    const ground = pixel(facts.colours.ground[theme]);
    const unknown = pixel(facts.colours.unknown[theme]);
    pixels.fill(ground);
    const groups = facts.groups;
    const inks = facts.states.map((state) => ({
      colour: pixel(state.colour[theme]),
      hatch: state.hatch ? pixel(state.ink[theme]) : 0,
      dots: state.hatch === '.',
      height: state.height,
      kept: !groups.without.includes(state.number) || state.height > 0.5,
    }));
    const slots = new Int8Array(16).fill(-1);
    facts.states.forEach((state, at) => {
      slots[state.number] = at;
    });
    slots[groups.unknown] = facts.states.length;
    const held = groups.held.map((state) => slots[state]).filter((slot) => slot >= 0);
    const waiting = slots[groups.waiting];
    const scroll = this.stage.scrollTop;
    /** @type {Map<number, {owners: {colour: number, shares: Float32Array}[], waiting: Float32Array}>} */
    const strips = new Map();
    for (const row of this.rows) {
      const top = Math.round((row.top - scroll) * scale);
      const tall = 2 * Math.round((row.height * scale) / 2);
      const visible = top + tall > 0 && top < height;
      if (row.kind === 'lane') {
        const strip = this.stripOf(strips, row.process, width);
        if (!visible && !strip) continue;
        coverage(store, row.lane, view.from, view.to, width, slots, this.shares);
        if (visible) paintLane(pixels, width, height, top, tall, width, this.shares, inks, ground, unknown);
        if (strip) {
          const mine = new Float32Array(width);
          const gils = Math.max(1, facts.processes[row.process].gils.length);
          for (const slot of held) {
            for (let x = 0; x < width; x += 1) mine[x] += this.shares[slot * width + x] / gils;
          }
          if (waiting >= 0) {
            for (let x = 0; x < width; x += 1) strip.waiting[x] += this.shares[waiting * width + x];
          }
          strip.owners.push({ colour: pixel(facts.lanes[row.lane].colour[theme]), shares: mine });
        }
      } else if (visible && row.kind === 'owner') {
        const stack = strips.get(row.process)?.owners ?? [];
        paintStack(pixels, width, height, top, tall, width, stack, pixel(facts.colours.faint[theme]));
      } else if (visible && row.kind === 'waiting') {
        const shares = strips.get(row.process)?.waiting ?? new Float32Array(width);
        const most = Math.max(1, shares.reduce((a, b) => Math.max(a, b), 0));
        for (let x = 0; x < width; x += 1) shares[x] /= most;
        const stack = [{ colour: pixel(facts.colours.wait[theme]), shares }];
        paintStack(pixels, width, height, top, tall, width, stack, ground);
      }
    }
    context(canvas).putImageData(image, 0, 0);
    this.stale = false;
  }

  /**
   * @param {Map<number, {owners: {colour: number, shares: Float32Array}[], waiting: Float32Array}>} strips
   * @param {number} process
   * @param {number} width
   */
  stripOf(strips, process, width) {
    const here = this.rows.some((row) => row.kind === 'owner' && row.process === process);
    if (!here) return null;
    let strip = strips.get(process);
    if (!strip) strips.set(process, (strip = { owners: [], waiting: new Float32Array(width) }));
    return strip;
  }

  /** Draw what lies over the lanes. */
  over() {
    const { overlay, scale, view } = this;
    const theme = this.theme();
    const { colours } = this.store.facts;
    const paper = context(overlay);
    const width = overlay.width / scale;
    const height = overlay.height / scale;
    paper.setTransform(scale, 0, 0, scale, 0, 0);
    paper.clearRect(0, 0, width, height);
    this.drawHighlight(paper, width, theme);
    drawSaid(paper, this, width, theme);
    if (view.span) {
      const left = this.xOf(view.span[0]);
      const right = this.xOf(view.span[1]);
      paper.fillStyle = colours.mark[theme];
      paper.globalAlpha = 0.18;
      paper.fillRect(left, 0, Math.max(right - left, 1), height);
      paper.globalAlpha = 1;
      paper.fillRect(left, 0, 1, height);
      paper.fillRect(right, 0, 1, height);
    }
    this.drawAxis(paper, width, theme);
    if (view.cursor) this.outline(paper, view.cursor, colours.ink[theme]);
    if (view.arrows) this.drawArrows(paper, theme);
  }

  /** @param {CanvasRenderingContext2D} paper @param {number} width @param {number} theme */
  drawAxis(paper, width, theme) {
    const { colours, length, patterns } = this.store.facts;
    paper.fillStyle = colours.ground[theme];
    paper.fillRect(0, 0, width, AXIS);
    paper.fillStyle = colours.muted[theme];
    paper.font = '12px system-ui, sans-serif';
    paper.textBaseline = 'top';
    const found = ticks(this.view.from, this.view.to, width / 130);
    const of = unit(Math.min(this.view.to, length));
    for (const at of found.ticks) {
      const x = this.xOf(at);
      paper.fillRect(x, AXIS - 6, 1, 6);
      const words = label(at, found.step, of);
      const room = paper.measureText(words).width;
      if (x + 4 + room < width) paper.fillText(words, x + 4, 4);
    }
    paper.fillStyle = colours.alarm[theme];
    for (const pattern of patterns) {
      const left = Math.max(this.xOf(pattern.begin), 0);
      const right = Math.min(this.xOf(pattern.end), width);
      if (right > left) paper.fillRect(left, AXIS - 2, Math.max(right - left, 1), 2);
    }
  }

  /** @param {CanvasRenderingContext2D} paper @param {Interval} of @param {string} colour */
  outline(paper, of, colour) {
    const row = this.rows.find((each) => each.lane === of.lane);
    if (!row) return;
    const left = Math.max(this.xOf(of.begin), -2);
    const right = Math.min(this.xOf(of.end), this.overlay.width / this.scale + 2);
    paper.strokeStyle = colour;
    paper.lineWidth = 2;
    paper.strokeRect(left, row.top - this.stage.scrollTop - 1, Math.max(right - left, 2), row.height + 2);
  }

  /** @param {CanvasRenderingContext2D} paper @param {number} width @param {number} theme */
  drawHighlight(paper, width, theme) {
    const { highlight } = this.view;
    if (!highlight) return;
    const columns = Math.round(width);
    const shares = new Float32Array(columns);
    paper.fillStyle = this.store.facts.colours.mark[theme];
    for (const row of this.rows) {
      const sum = row.kind === 'lane' ? highlight.sums[row.lane] : null;
      if (!sum) continue;
      fromSum(this.store, sum, this.view.from, this.view.to, columns, shares);
      const bottom = row.top - this.stage.scrollTop + row.height + 4;
      for (let x = 0; x < columns; x += 1) {
        if (shares[x] <= 0) continue;
        const tall = Math.max(1.5, 8 * Math.min(shares[x], 1));
        paper.fillRect(x, bottom - tall, 1, tall);
      }
    }
  }

  /** @param {CanvasRenderingContext2D} paper @param {number} theme */
  drawArrows(paper, theme) {
    const { arrows } = this.view;
    if (!arrows) return;
    const { colours } = this.store.facts;
    const middle = /** @param {number} lane */ (lane) => {
      const row = this.rows.find((each) => each.lane === lane);
      return row ? row.top - this.stage.scrollTop + row.height / 2 : NaN;
    };
    this.outline(paper, arrows.wait, colours.alarm[theme]);
    paper.strokeStyle = colours.ink[theme];
    paper.fillStyle = colours.ink[theme];
    paper.lineWidth = 1.5;
    const from = middle(arrows.wait.lane);
    const width = this.overlay.width / this.scale;
    let drawn = -Infinity;
    for (const holder of arrows.holders) {
      const x = (this.xOf(holder.begin) + this.xOf(holder.end)) / 2;
      if (x < 0 || x > width || x - drawn < 3) continue; // more than one can tell apart
      drawn = x;
      arrow(paper, x, from, middle(holder.lane));
    }
  }
}

/** Where a name is too long, its middle is left out: threads of a pool differ in their ends. @param {string} name */
function shortened(name) {
  const end = Math.max(0, name.length - 5);
  return make('span', {}, make('bdi', {}, name.slice(0, end)), make('bdi', {}, name.slice(end)));
}

/**
 * @param {CanvasRenderingContext2D} paper
 * @param {number} x
 * @param {number} from
 * @param {number} to
 */
function arrow(paper, x, from, to) {
  if (Number.isNaN(from) || Number.isNaN(to)) return;
  const down = to > from ? 1 : -1;
  const head = to - down * 6;
  paper.beginPath();
  paper.moveTo(x, from);
  paper.lineTo(x, head);
  paper.stroke();
  paper.beginPath();
  paper.moveTo(x, to);
  paper.lineTo(x - 4, head);
  paper.lineTo(x + 4, head);
  paper.fill();
}
