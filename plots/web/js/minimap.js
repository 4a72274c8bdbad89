// @ts-check
// The whole trace on two strips, who had the GIL and how many threads waited, and what of it is seen below.
import { coverage } from './columns.js';
import { context } from './dom.js';
import { paintStack, pixel } from './paint.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./view.js').View} View */

const OWNER = 18;
const WAITERS = 26;
const FLAGS = 14;
const LANES = 400;

export class Minimap {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Store} store
   * @param {View} view
   * @param {() => number} theme
   */
  constructor(canvas, store, view, theme) {
    this.canvas = canvas;
    this.store = store;
    this.view = view;
    this.theme = theme;
    /** @type {ImageData | null} */
    this.image = null;
    this.drag = NaN;
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.drag = event.offsetX;
      this.centre(event.offsetX);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!Number.isNaN(this.drag)) this.centre(event.offsetX);
    });
    canvas.addEventListener('pointerup', () => {
      this.drag = NaN;
    });
  }

  /** @param {number} x */
  centre(x) {
    const at = (x / this.canvas.clientWidth) * this.view.length;
    const half = this.view.width / 2;
    this.view.show(at - half, at + half);
  }

  /** Measure the trace anew, for another width or when more of it is here. */
  measure() {
    const scale = window.devicePixelRatio || 1;
    const columns = Math.max(1, Math.round(this.canvas.clientWidth * scale));
    const rows = Math.round((FLAGS + OWNER + WAITERS + 4) * scale);
    this.canvas.width = columns;
    this.canvas.height = rows;
    const theme = this.theme();
    const { facts } = this.store;
    const image = new ImageData(columns, rows);
    const pixels = new Uint32Array(image.data.buffer);
    pixels.fill(pixel(facts.colours.ground[theme]));
    const slots = new Int8Array(16).fill(-1);
    for (const state of facts.groups.held) slots[state] = 0;
    slots[facts.groups.waiting] = 1;
    const shares = new Float32Array(2 * columns);
    const waiting = new Float32Array(columns);
    const gils = Math.max(1, facts.gils.length);
    /** @type {Map<string, Float32Array>} */
    const owners = new Map();
    facts.lanes.slice(0, LANES).forEach((lane, index) => {
      if (!lane.intervals) return;
      coverage(this.store, index, 0, facts.length, columns, slots, shares);
      let owner = owners.get(lane.colour[theme]);
      if (!owner) owners.set(lane.colour[theme], (owner = new Float32Array(columns)));
      for (let x = 0; x < columns; x += 1) {
        owner[x] += shares[x] / gils;
        waiting[x] += shares[columns + x];
      }
    });
    this.most = Math.max(1, waiting.reduce((a, b) => Math.max(a, b), 0));
    for (let x = 0; x < columns; x += 1) waiting[x] /= this.most;
    const stack = [...owners].map(([colour, each]) => ({ colour: pixel(colour), shares: each }));
    const top = Math.round(FLAGS * scale);
    const tall = Math.round(OWNER * scale);
    const faint = pixel(facts.colours.faint[theme]);
    paintStack(pixels, columns, rows, top, tall, columns, stack, faint);
    const wait = [{ colour: pixel(facts.colours.wait[theme]), shares: waiting }];
    const ground = pixel(facts.colours.ground[theme]);
    const under = top + tall + Math.round(2 * scale);
    paintStack(pixels, columns, rows, under, Math.round(WAITERS * scale), columns, wait, ground);
    this.image = image;
    this.draw();
  }

  draw() {
    if (!this.image) return;
    const theme = this.theme();
    const { facts } = this.store;
    const paper = context(this.canvas);
    const { width, height } = this.canvas;
    const scale = window.devicePixelRatio || 1;
    paper.putImageData(this.image, 0, 0);
    paper.fillStyle = facts.colours.alarm[theme];
    for (const pattern of facts.patterns) {
      const left = (pattern.begin / facts.length) * width;
      const right = (pattern.end / facts.length) * width;
      paper.fillRect(left, (FLAGS - 4) * scale, Math.max(right - left, scale), 2 * scale);
      paper.beginPath();
      paper.moveTo(left, scale);
      paper.lineTo(left + 8 * scale, 4.5 * scale);
      paper.lineTo(left, 8 * scale);
      paper.fill();
      paper.fillRect(left, scale, scale, (FLAGS - 3) * scale);
    }
    const left = (this.view.from / facts.length) * width;
    const right = Math.max((this.view.to / facts.length) * width, left + 2);
    paper.fillStyle = facts.colours.ground[theme];
    paper.globalAlpha = 0.55;
    paper.fillRect(0, 0, left, height);
    paper.fillRect(right, 0, width - right, height);
    paper.globalAlpha = 1;
    paper.strokeStyle = facts.colours.ink[theme];
    paper.lineWidth = scale;
    paper.strokeRect(left + 0.5, 0.5, right - left - 1, height - 1);
  }
}
