// @ts-check
// The page: what was written into it, what is drawn of it, and what keys and pointers do.
import { decode64, inflate, parts } from './bytes.js';
import { get, make, text } from './dom.js';
import { Minimap } from './minimap.js';
import { Panels } from './panels.js';
import { Picture } from './picture.js';
import { lockWait, saidAt } from './said.js';
import { search } from './search.js';
import { Store } from './store.js';
import { sweep } from './sweep.js';
import { count, duration, time } from './units.js';
import { View } from './view.js';
import { heldAt, waitedFor } from './waits.js';

/** @typedef {import('./types').Facts} Facts */
/** @typedef {import('./types').Interval} Interval */

const ZOOM = 1.25;
const HIGHLIGHT_BINS = 4000;
const NEAR = 3; // pixels

class Page {
  /**
   * @param {Facts} facts
   * @param {Store} store
   */
  constructor(facts, store) {
    this.facts = facts;
    this.store = store;
    this.dark = window.matchMedia('(prefers-color-scheme: dark)');
    this.view = new View(facts.length, facts.view);
    const theme = () => (this.dark.matches ? 1 : 0);
    this.stage = get('stage', HTMLElement);
    this.lanes = get('lanes', HTMLElement);
    this.tip = get('tip', HTMLElement);
    this.picture = new Picture(
      get('picture', HTMLCanvasElement),
      get('overlay', HTMLCanvasElement),
      this.stage,
      store,
      this.view,
      theme,
    );
    this.minimap = new Minimap(get('minimap', HTMLCanvasElement), store, this.view, theme);
    this.panels = new Panels(get('panels', HTMLElement), store, {
      go: (from, to) => this.around(from, to),
      open: (lane, at) => this.openAt(lane, at),
      highlight: (place) => this.highlight(place),
    });
    this.asked = 0; // the frame that is asked for
    this.counted = 0;
    this.hit = -1;
    this.write();
    this.listen();
  }

  /** Write what does not change. */
  write() {
    const { facts } = this;
    get('title', HTMLElement).textContent = facts.title;
    get('verdict', HTMLElement).textContent = facts.sentences[0] ?? '';
    const theme = this.dark.matches ? 1 : 0;
    get('legend', HTMLElement).replaceChildren(
      ...facts.states
        .filter((state) => this.panels.named(new Map([[state.name, state.label]])).length)
        .map((state) => {
          const key = make('i', { 'aria-hidden': 'true' });
          const colour = state.colour[theme];
          key.style.height = `${Math.max(2, 16 * state.height)}px`;
          const ink = state.ink[theme];
          key.style.background = colour;
          if (state.hatch === '.') key.style.background = `radial-gradient(${ink} 30%, ${colour} 32%) 0 0 / 6px 5.3px`;
          else if (state.hatch) {
            key.style.background = `repeating-linear-gradient(135deg, ${colour} 0 4px, ${ink} 4px 6px)`;
          }
          return make('li', {}, make('span', { class: 'key' }, key), state.label);
        }),
    );
    get('keys', HTMLElement).replaceChildren(
      ...facts.words.keys.flatMap(([key, what]) => [make('dt', {}, key), make('dd', {}, what)]),
    );
    const notes = [];
    if (facts.step > 1) notes.push(facts.words.grid.replace('{step}', duration(facts.step)));
    if (!facts.complete) {
      const widest = Math.max(...facts.lanes.map((lane) => lane.width));
      notes.push(facts.words.left_out.replace('{width}', duration(widest)));
    }
    get('note', HTMLElement).textContent = notes.join(' ');
    this.lanes.style.height = `${this.picture.total}px`;
    this.stage.style.setProperty('--total', `${this.picture.total}px`);
    this.picture.names(get('names', HTMLElement));
  }

  listen() {
    this.view.listeners.add((what) => this.changed(what));
    this.dark.addEventListener('change', () => {
      this.write();
      this.resized();
    });
    new ResizeObserver(() => this.resized()).observe(this.stage);
    this.stage.addEventListener('scroll', () => {
      this.picture.stale = true;
      this.ask();
    });
    window.addEventListener('hashchange', () => this.follow());
    window.addEventListener('keydown', (event) => this.key(event));
    this.lanes.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    this.pointers();
    get('in', HTMLElement).addEventListener('click', () => this.zoom(1 / ZOOM));
    get('out', HTMLElement).addEventListener('click', () => this.zoom(ZOOM));
    get('fit', HTMLElement).addEventListener('click', () => this.view.fit());
    get('help', HTMLElement).addEventListener('click', () => this.help());
    const field = get('search', HTMLInputElement);
    field.addEventListener('input', () => {
      this.hit = -1;
      this.find(field.value, false);
    });
    field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.find(field.value, true);
      if (event.key === 'Escape') field.blur();
      event.stopPropagation();
    });
    get('names', HTMLElement).addEventListener('click', (event) => {
      const id = event.target instanceof Element ? (event.target.closest('[role=option]')?.id ?? '') : '';
      if (id) this.toLane(Number(id.slice('lane-'.length)));
    });
  }

  pointers() {
    /** @type {{x: number, y: number, from: number, scroll: number, selects: boolean, moved: boolean} | null} */
    let drag = null;
    const { lanes, picture, view, stage } = this;
    const at = /** @param {PointerEvent} event */ (event) => {
      const box = picture.canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    lanes.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      const { x, y } = at(event);
      lanes.setPointerCapture(event.pointerId);
      const selects = event.shiftKey || y < 24;
      drag = { x, y, from: selects ? picture.timeAt(x) : view.from, scroll: stage.scrollTop, selects, moved: false };
      this.tip.hidden = true;
    });
    lanes.addEventListener('pointermove', (event) => {
      const { x, y } = at(event);
      if (!drag) {
        this.hover(x, y);
        return;
      }
      drag.moved ||= Math.abs(x - drag.x) + Math.abs(y - drag.y) > 3;
      if (!drag.moved) return;
      if (drag.selects) view.select(drag.from, picture.timeAt(x));
      else {
        const by = ((drag.x - x) / lanes.clientWidth) * view.width;
        const from = Math.min(Math.max(drag.from + by, 0), view.length - view.width);
        view.show(from, from + view.width);
        stage.scrollTop = drag.scroll + drag.y - y;
      }
    });
    lanes.addEventListener('pointerup', (event) => {
      const { x, y } = at(event);
      if (drag && !drag.moved) this.click(x, y);
      if (drag?.selects && drag.moved) this.count();
      drag = null;
    });
    lanes.addEventListener('pointerleave', () => {
      this.tip.hidden = true;
    });
  }

  /** @param {string} what */
  changed(what) {
    if (what === 'time') this.picture.stale = true;
    if (what === 'span' && !this.view.span) {
      this.counted += 1;
      this.panels.showSpan(null);
    }
    if (what === 'arrows' && !this.view.arrows) this.panels.hideWait();
    if (what === 'highlight') {
      const place = String(this.view.highlight?.place ?? '');
      for (const each of document.querySelectorAll('[data-place]')) {
        each.setAttribute('aria-pressed', String(each.getAttribute('data-place') === place));
      }
    }
    this.ask();
  }

  resized() {
    this.picture.resize();
    this.minimap.measure();
    this.ask();
  }

  /** Draw with the next frame. */
  ask() {
    this.asked ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.asked = 0;
    const begin = performance.now();
    if (this.picture.stale) {
      this.picture.paint();
      this.minimap.draw();
      const { from, to, width } = this.view;
      const step = width / 1000;
      get('where', HTMLElement).textContent =
        `${time(from, step)} – ${time(to, step)} (${duration(width)})`;
      this.link();
    }
    this.picture.over();
    performance.measure('gilscope-frame', { start: begin, end: performance.now() });
  }

  /** Put what is seen into the address, when it has come to rest. */
  link() {
    window.clearTimeout(this.linking);
    this.linking = window.setTimeout(() => {
      if (window.location.hash !== this.linked) return; // somebody has just put another one there
      try {
        history.replaceState(null, '', this.view.fragment);
        this.linked = window.location.hash;
      } catch {
        // A page inside of another one, as in a notebook, may not have an address of its own.
      }
    }, 200);
  }

  /** Go where the address says. */
  follow() {
    this.linked = window.location.hash;
    this.view.follow(this.linked);
  }

  /** @param {number} factor @param {number} [at] */
  zoom(factor, at) {
    this.view.zoom(factor, at ?? (this.view.from + this.view.to) / 2);
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (event.shiftKey) return; // scrolls the lanes
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      this.view.pan(event.deltaX / 1000);
      return;
    }
    const box = this.picture.canvas.getBoundingClientRect();
    const lines = event.deltaMode === 1 ? 30 : 1;
    const steps = Math.max(-3, Math.min(3, (event.deltaY * lines) / 100));
    this.view.zoom(ZOOM ** steps, this.picture.timeAt(event.clientX - box.left));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement) return;
    const inLanes = document.activeElement === this.lanes || document.activeElement === document.body;
    /** @type {Record<string, () => void>} */
    const acts = {
      w: () => this.zoom(1 / ZOOM),
      s: () => this.zoom(ZOOM),
      a: () => this.view.pan(-0.15),
      d: () => this.view.pan(0.15),
      f: () => this.view.fit(),
      m: () => this.mark(),
      z: () => this.view.span && this.view.show(...this.view.span),
      '?': () => this.help(),
      '/': () => get('search', HTMLInputElement).focus(),
      Escape: () => this.view.clear(),
    };
    if (inLanes) {
      Object.assign(acts, {
        ArrowLeft: () => this.step(-1),
        ArrowRight: () => this.step(1),
        ArrowUp: () => this.lane(-1),
        ArrowDown: () => this.lane(1),
        Enter: () => this.view.cursor && this.open(this.view.cursor),
      });
    }
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  help() {
    const keys = get('keys', HTMLElement);
    keys.hidden = !keys.hidden;
    get('help', HTMLElement).setAttribute('aria-expanded', String(!keys.hidden));
  }

  /** @param {-1 | 1} by */
  step(by) {
    const { cursor } = this.view;
    if (!cursor) return this.lane(1);
    const found = this.store.beside(cursor, by);
    if (found) this.put(found);
    return undefined;
  }

  /** @param {-1 | 1} by */
  lane(by) {
    const { cursor, from, to } = this.view;
    const rows = this.picture.rows.filter((row) => row.kind === 'lane');
    const at = rows.findIndex((row) => row.lane === cursor?.lane);
    const row = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    if (!row) return;
    const lane = this.facts.lanes[row.lane];
    const wanted = cursor ? (cursor.begin + cursor.end) / 2 : (from + to) / 2;
    const found = this.store.at(row.lane, Math.min(Math.max(wanted, lane.begin), lane.end - 1));
    if (found) this.put(found);
  }

  /** Put the cursor at an interval, and see it. @param {Interval} found */
  put(found) {
    this.view.cursor = found;
    const { from, to, width } = this.view;
    if (found.begin > to || found.end < from) {
      const middle = (found.begin + found.end) / 2;
      this.view.show(middle - width / 2, middle + width / 2);
    }
    const row = this.picture.rows.find((each) => each.lane === found.lane);
    if (row) {
      if (row.top < this.stage.scrollTop + 30) this.stage.scrollTop = row.top - 30;
      const below = row.top + row.height - this.stage.clientHeight;
      if (below > this.stage.scrollTop) this.stage.scrollTop = below;
    }
    for (const each of document.querySelectorAll('[role=option]')) {
      each.setAttribute('aria-selected', String(each.id === `lane-${found.lane}`));
    }
    get('names', HTMLElement).setAttribute('aria-activedescendant', `lane-${found.lane}`);
    get('cursor', HTMLElement).textContent = `${this.panels.name(found.lane)}: ${this.describe(found).join(', ')}`;
    this.view.changed('cursor');
  }

  /** What is said of an interval. @param {Interval} of @returns {string[]} */
  describe(of) {
    const { states, step, gils } = this.facts;
    const state = states.find((each) => each.number === of.state);
    const length = of.end - of.begin;
    const said = [state?.label ?? 'unknown', length ? duration(length) : `< ${duration(step)}`];
    if (of.about && gils.length > 1) said.push(gils[of.about - 1].name);
    if (of.place) said.push(this.panels.placeText(of.place));
    if (of.unfinished) said.push('cut off by the end of the recording');
    said.push(`at ${time(of.begin, step)}`);
    return said;
  }

  /** The interval at a point. @param {number} x @param {number} y */
  at(x, y) {
    const row = this.picture.rowAt(y);
    if (row?.kind !== 'lane') return null;
    const pixels = (NEAR * this.view.width) / this.lanes.clientWidth;
    const near = this.view.width / this.lanes.clientWidth < this.facts.lanes[row.lane].width / 4 ? pixels : 0;
    return this.store.at(row.lane, this.picture.timeAt(x), near);
  }

  /** @param {number} x @param {number} y */
  hover(x, y) {
    const found = this.at(x, y);
    const lines = found ? this.describe(found) : saidAt(this.picture, x, y);
    this.tip.hidden = !lines.length;
    if (!lines.length) return;
    const [state, ...rest] = lines;
    this.tip.replaceChildren(make('b', {}, state), ...rest.map((line) => make('div', {}, line)));
    const box = this.picture.canvas.getBoundingClientRect();
    this.tip.style.left = `${Math.max(4, Math.min(box.left + x + 14, window.innerWidth - this.tip.offsetWidth - 8))}px`;
    this.tip.style.top = `${box.top + y + 16}px`;
  }

  /** @param {number} x @param {number} y */
  click(x, y) {
    const found = this.at(x, y);
    if (!found) return;
    this.put(found);
    this.open(found);
  }

  /** Show whom a wait was for. @param {Interval} found */
  open(found) {
    const lock = lockWait(this.facts, found);
    if (lock >= 0) {
      const { waker, woke } = this.facts.locks;
      const holders = waker[lock] < 0 ? [] : [{ lane: waker[lock], begin: woke[lock], end: woke[lock], place: 0 }];
      this.view.arrows = { wait: found, holders };
      this.panels.showLock(lock);
      this.view.changed('arrows');
      return;
    }
    if (found.state !== this.facts.groups.waiting) {
      this.view.arrows = null;
      this.view.changed('arrows');
      return;
    }
    const { holders, more } = waitedFor(this.store, found);
    this.view.arrows = { wait: found, holders };
    this.panels.showWait(found, holders, more);
    this.view.changed('arrows');
  }

  /** @param {number} lane @param {number} at */
  openAt(lane, at) {
    const found = this.store.at(lane, at);
    if (!found) return;
    this.around(found.begin, found.end);
    this.put(found);
    this.open(found);
    this.lanes.focus();
    window.scrollTo({ top: 0 });
  }

  /** See a stretch with something of what is beside it. @param {number} from @param {number} to */
  around(from, to) {
    const margin = Math.max((to - from) * 0.35, 1000);
    this.view.show(from - margin, to + margin);
  }

  mark() {
    const { cursor } = this.view;
    if (!cursor) return;
    this.view.select(cursor.begin, cursor.end);
    this.count();
  }

  /** Count what the span amounts to. */
  async count() {
    const { span } = this.view;
    this.counted += 1;
    const mine = this.counted;
    if (!span) return;
    this.panels.counting(0, span);
    const amount = await sweep(this.store, span[0], span[1], async (part) => {
      this.panels.counting(part, span);
      await new Promise((resolve) => setTimeout(resolve, 0));
      return mine === this.counted;
    });
    if (mine === this.counted) this.panels.showSpan(amount);
    this.link();
  }

  /** @param {number} place */
  highlight(place) {
    const on = this.view.highlight?.place !== place;
    this.view.highlight = on ? { place, sums: heldAt(this.store, place, HIGHLIGHT_BINS) } : null;
    this.view.changed('highlight');
    window.scrollTo({ top: 0 });
  }

  /** @param {number} lane */
  toLane(lane) {
    const { begin, end } = this.facts.lanes[lane];
    const { from, to } = this.view;
    if (end < from || begin > to) this.around(begin, end);
    const middle = Math.min(Math.max((this.view.from + this.view.to) / 2, begin), end - 1);
    const found = this.store.at(lane, middle);
    if (found) this.put(found);
  }

  /** @param {string} wanted @param {boolean} go */
  find(wanted, go) {
    const hits = search(this.facts, wanted);
    const said = get('found', HTMLElement);
    if (!wanted.trim()) {
      said.textContent = '';
      return;
    }
    if (!go || !hits.length) {
      said.textContent = `${count(hits.length)} found`;
      return;
    }
    this.hit = (this.hit + 1) % hits.length;
    const hit = hits[this.hit];
    if (hit.kind === 'lane') this.toLane(hit.lane);
    if (hit.kind === 'pattern') {
      const pattern = this.facts.patterns[hit.pattern];
      this.around(pattern.begin, pattern.end);
    }
    if (hit.kind === 'span') {
      const span = this.facts.said.slowest[hit.span];
      this.around(span.begin, span.begin + span.duration);
    }
    if (hit.kind === 'place' && this.view.highlight?.place !== hit.place) this.highlight(hit.place);
    const name =
      hit.kind === 'lane'
        ? this.panels.name(hit.lane)
        : hit.kind === 'place'
          ? this.panels.placeText(hit.place)
          : hit.kind === 'span'
            ? this.facts.said.names[this.facts.said.slowest[hit.span].name]
            : this.facts.patterns[hit.pattern].name;
    said.textContent = `${this.hit + 1} of ${hits.length}: ${name}`;
  }

  /** The intervals are here. @param {Uint8Array} planes */
  complete(planes) {
    this.store.planes = planes;
    this.picture.stale = true;
    this.minimap.measure();
    this.ask();
  }

  linking = 0;
  linked = window.location.hash;
}

async function start() {
  const root = document.documentElement;
  if (typeof DecompressionStream === 'undefined') {
    get('note', HTMLElement).textContent = JSON.parse(text('facts')).words.too_old;
    return;
  }
  /** @type {Facts} */
  const facts = JSON.parse(text('facts'));
  const [index, bins] = parts(await inflate(decode64(text('shares'))));
  const page = new Page(facts, new Store(facts, index, bins));
  page.resized();
  page.follow();
  const large = facts.lanes.some((lane) => lane.bins > 0);
  const rest = async () => {
    page.complete(await inflate(decode64(text('intervals'))));
    document.getElementById('intervals')?.remove();
    if (page.view.span) await page.count();
    page.draw();
    root.dataset.state = 'complete';
    performance.mark('gilscope-complete');
  };
  if (!large) await rest();
  page.draw();
  performance.mark('gilscope-first-picture');
  if (!large) return;
  root.dataset.state = 'pictured';
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
  await rest();
}

start().catch((error) => {
  document.documentElement.dataset.state = 'failed';
  throw error;
});
