// @ts-check
// The tables under the lanes: what the whole trace amounts to, what a span does, whom a wait was for.
import { button, make, table } from './dom.js';
import { saidTables } from './said.js';
import { count, duration, filled, plural, share } from './units.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./sweep.js').Amount} Amount */
/** @typedef {import('./types').Interval} Interval */
/** @typedef {import('./waits.js').Holder} Holder */

/**
 * @typedef {object} Acts what a click in a table does
 * @property {(from: number, to: number) => void} go
 * @property {(lane: number, time: number) => void} open a wait
 * @property {(place: number) => void} highlight
 */

const ROWS = 50;

export class Panels {
  /**
   * @param {HTMLElement} into
   * @param {Store} store
   * @param {Acts} acts
   */
  constructor(into, store, acts) {
    this.store = store;
    this.facts = store.facts;
    this.acts = acts;
    this.wait = panel('wait', 'One wait');
    this.span = panel('span', 'The span');
    this.wait.hidden = true;
    this.span.hidden = true;
    into.replaceChildren(this.wait, this.span, this.why(), this.lines(), this.threads(), this.longest(), ...this.said());
  }

  /** @param {number} place */
  place(place) {
    const [name, at, file] = this.facts.places[place] ?? ['', '', ''];
    if (!name) return this.facts.words.unknown_line;
    return make('span', { title: file }, `${name}, ${at}`);
  }

  /** @param {number} place */
  placeText(place) {
    const [name, at] = this.facts.places[place] ?? ['', ''];
    return name ? `${name}, ${at}` : this.facts.words.unknown_line;
  }

  /** @param {number} lane */
  name(lane) {
    const { lanes, processes } = this.facts;
    const { name, process } = lanes[lane];
    return processes.length > 1 ? `${processes[process].pid} ${name}` : name;
  }

  why() {
    const made = panel('why', 'Why');
    const list = make('ul', {}, ...this.facts.sentences.slice(1).map((sentence) => make('li', {}, sentence)));
    if (list.childElementCount) made.append(list);
    else made.append(make('p', {}, this.facts.words.nothing_to_explain));
    if (this.facts.patterns.length) {
      const rows = this.facts.patterns.map((pattern) => [
        button(pattern.name, () => this.acts.go(pattern.begin, pattern.end)),
        share(pattern.score),
        duration(pattern.end - pattern.begin),
        pattern.lanes.map((lane) => this.name(lane)).join(', '),
      ]);
      made.append(table('Patterns', ['pattern', 'score', 'time', 'threads'], rows));
    }
    return made;
  }

  /** @param {number} place */
  highlighter(place) {
    if (!this.facts.places[place]?.[0]) return this.placeText(place);
    const made = button(this.placeText(place), () => this.acts.highlight(place), {
      'aria-pressed': 'false',
      'data-place': String(place),
    });
    made.title = this.facts.places[place][2];
    return made;
  }

  lines() {
    const { rows, total } = this.facts.lines;
    const made = panel('lines', 'Lines that held the GIL while others waited');
    made.append(
      table(
        'A click shows where on the lanes',
        ['line', 'waited', 'share', 'threads', 'holds', 'when asked', 'longest'],
        rows.map((row) => [
          this.highlighter(row.place),
          [duration(row.waited), row.waited],
          share(row.waited / Math.max(total, 1)),
          count(row.threads),
          [count(row.holds), row.holds],
          share(row.requested / Math.max(row.holds, 1)),
          [duration(row.longest), row.longest],
        ]),
      ),
    );
    return made;
  }

  longest() {
    const made = panel('longest', 'The longest waits');
    const parts = Object.keys(this.facts.waits[0]?.anatomy ?? {});
    made.append(
      table(
        'A click shows whom it was for',
        ['thread', 'waited', 'went on at', ...parts],
        this.facts.waits.map((wait) => [
          button(this.name(wait.lane), () => this.acts.open(wait.lane, wait.begin + wait.duration / 2)),
          [duration(wait.duration), wait.duration],
          this.place(wait.place),
          ...parts.map((part) => /** @type {[string, number]} */ ([duration(wait.anatomy[part]), wait.anatomy[part]])),
        ]),
      ),
    );
    return made;
  }

  /** Spans, where the program has some. */
  said() {
    if (!this.facts.said.figures.length) return [];
    const made = panel('said', 'Spans of the program');
    made.append(...saidTables(this.facts, (lane) => this.name(lane), (from, to) => this.acts.go(from, to)));
    return [made];
  }

  threads() {
    const made = panel('threads', 'Threads');
    const label = new Map(this.facts.states.map((state) => [state.name, state.label]));
    let lane = 0; // lanes are in the summary's order
    const rows = this.facts.summary.processes.flatMap((process) =>
      process.threads.map((thread) => {
        const times = thread.states_ns ?? thread.time_ns;
        /** @type {[string, number]} */
        const acquires = [count(thread.counts.acquires), thread.counts.acquires];
        return /** @type {(string | [string, number])[]} */ ([
          this.name(lane++),
          ...this.named(label).map((state) => /** @type {[string, number]} */ ([duration(times[state] ?? 0), times[state] ?? 0])),
          acquires,
          longestOf(thread.wait_ns),
          longestOf(thread.hold_ns),
        ]);
      }),
    );
    const heads = ['thread', ...this.named(label).map((state) => label.get(state) ?? state)];
    made.append(table('The whole trace, exactly', [...heads, 'acquires', 'longest wait', 'longest hold'], rows));
    return made;
  }

  /** @param {Map<string, string>} label */
  named(label) {
    const amounts = this.facts.summary.processes.flatMap((process) => process.threads);
    return [...label.keys()].filter(
      (state) =>
        !this.facts.states.find((each) => each.name === state)?.rare ||
        amounts.some((thread) => (thread.states_ns ?? thread.time_ns)[state]),
    );
  }

  /** @param {number} part @param {[number, number]} span */
  counting(part, span) {
    this.span.hidden = false;
    const progress = make('progress', { max: '1', value: String(part), 'aria-label': 'counting' });
    fill(this.span, `The span: ${duration(span[1] - span[0])}`, progress);
  }

  /** @param {Amount | null} amount */
  showSpan(amount) {
    this.span.hidden = !amount;
    this.span.dataset.ready = amount ? 'yes' : 'no';
    if (!amount) return;
    const { states, lanes, words } = this.facts;
    const length = amount.to - amount.from;
    const alive = lanes.map((_, lane) => lane).filter((lane) => amount.times[lane].some((time) => time > 0));
    const shown = states.filter((state) => !state.rare || alive.some((lane) => amount.times[lane][state.number] > 0));
    const rows = alive.map((lane) => [
      this.name(lane),
      ...shown.map((state) => cell(amount.times[lane][state.number])),
      /** @type {[string, number]} */ ([count(amount.waits[lane]), amount.waits[lane]]),
      cell(amount.longest[lane]),
    ]);
    const lines = [...amount.lines.values()].sort((a, b) => b.waited - a.waited).slice(0, ROWS);
    /** @type {[number, number, number][]} */
    const pairs = [];
    for (const [waiter, row] of amount.blame) {
      row.forEach((time, holder) => time > 0 && pairs.push([waiter, holder, time]));
    }
    pairs.sort((a, b) => b[2] - a[2]);
    fill(
      this.span,
      `The span: ${duration(length)}`,
      make('ul', {}, ...this.sentences(amount).map((sentence) => make('li', {}, sentence))),
      table('Threads', ['thread', ...shown.map((state) => state.label), 'waits', 'longest wait'], rows),
      table(
        'Who waited while who had the lock',
        ['waited', 'for', 'time'],
        pairs
          .slice(0, ROWS)
          .map(([waiter, holder, time]) => [
            this.name(waiter),
            holder === lanes.length ? words.nobody : this.name(holder),
            cell(time),
          ]),
      ),
      table(
        'Lines that held the GIL while others waited',
        ['line', 'waited', 'threads', 'holds', 'longest'],
        lines.map((line) => [
          this.highlighter(line.place),
          cell(line.waited),
          count(line.lanes.size),
          /** @type {[string, number]} */ ([count(line.holds), line.holds]),
          cell(line.longest),
        ]),
      ),
    );
  }

  /** @param {Amount} amount @returns {string[]} */
  sentences(amount) {
    const { words, gils } = this.facts;
    const length = amount.to - amount.from;
    const span = duration(length);
    if (!amount.contended) return [filled(words.nothing, { span })];
    const whole = length * Math.max(gils.length, 1);
    const said = [
      filled(words.of_span, { span, contended: share(amount.contended / whole), held: share(amount.held / whole) }),
    ];
    const { worst } = amount;
    if (worst) {
      const where = worst.place ? filled(words.at, { place: this.placeText(worst.place) }) : '';
      said.push(
        filled(words.longest, { who: this.name(worst.lane), wait: duration(worst.end - worst.begin), where }),
      );
    }
    const held = new Float64Array(this.facts.lanes.length);
    let total = 0;
    for (const row of amount.blame.values()) {
      for (let lane = 0; lane < held.length; lane += 1) {
        held[lane] += row[lane];
        total += row[lane];
      }
    }
    const most = held.indexOf(held.reduce((a, b) => Math.max(a, b), 0));
    if (total > 0) said.push(filled(words.charged, { who: this.name(most), part: share(held[most] / total) }));
    for (const line of [...amount.lines.values()].sort((a, b) => b.waited - a.waited).slice(0, 3)) {
      if (!line.place || line.waited < total / 100) continue;
      said.push(
        filled(words.line, {
          place: this.placeText(line.place),
          threads: plural(line.lanes.size, 'thread'),
          waited: duration(line.waited),
          holds: plural(line.holds, 'hold'),
          longest: duration(line.longest),
        }),
      );
    }
    return said;
  }

  /** @param {Interval} wait @param {Holder[]} holders @param {boolean} more */
  showWait(wait, holders, more) {
    const { words } = this.facts;
    this.wait.hidden = false;
    const heard = filled(words.waited_for, {
      who: this.name(wait.lane),
      wait: duration(wait.end - wait.begin),
      where: wait.place ? filled(words.at, { place: this.placeText(wait.place) }) : '',
      count: plural(new Set(holders.map((holder) => holder.lane)).size, 'thread'),
    });
        fill(
      this.wait,
      'One wait',
      make('p', {}, heard),
      table(
        `Who had the lock${more ? ' (the first of them)' : ''}`,
        ['thread', 'from', 'had it for', 'let go at'],
        holders.slice(0, 4 * ROWS).map((holder) => [
          button(this.name(holder.lane), () => this.acts.go(holder.begin, holder.end)),
          cell(holder.begin - wait.begin),
          cell(holder.end - holder.begin),
          this.place(holder.place),
        ]),
      ),
    );
  }

  /** @param {number} at which wait for a lock */
  showLock(at) {
    const { words, locks } = this.facts;
    const where = /** @param {number} place */ (place) =>
      locks.names[place] ? filled(words.at, { place: locks.names[place] }) : '';
    const waker = locks.waker[at];
    const heard = filled(words.waited_for_lock, {
      who: this.name(locks.lane[at]),
      wait: duration(locks.duration[at]),
      lock: locks.names[locks.lock[at]],
      where: where(locks.place[at]),
    });
    const by =
      waker < 0
        ? words.let_go_unknown
        : filled(words.let_go_by, { who: this.name(waker), where: where(locks.waker_place[at]) });
    const go = waker < 0 ? [] : [button('see it', () => this.acts.go(locks.begin[at], locks.woke[at]))];
    this.wait.hidden = false;
    fill(this.wait, 'One wait for a lock', make('p', {}, heard + by), ...go);
  }

  hideWait() {
    this.wait.hidden = true;
  }
}

/** @param {number} ns @returns {[string, number]} */
function cell(ns) {
  return [duration(ns), Math.round(ns)];
}

/** @param {Record<string, number | null>} of @returns {[string, number]} */
function longestOf(of) {
  return cell(of.max ?? 0);
}

/** @param {string} id @param {string} title */
function panel(id, title) {
  return make('section', { id: `panel-${id}`, 'aria-labelledby': `head-${id}` }, make('h2', { id: `head-${id}` }, title));
}

/** @param {HTMLElement} made @param {string} title @param {Node[]} children */
function fill(made, title, ...children) {
  const head = made.querySelector('h2');
  if (head) head.textContent = title;
  made.replaceChildren(...(head ? [head] : []), ...children);
}
