// What the page's code makes of its data, without a browser: shares of columns, spans, waits. JSON in, JSON out.
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { decode64, inflate, parts } from '../../../plots/web/js/bytes.js';
import { coverage } from '../../../plots/web/js/columns.js';
import { Store } from '../../../plots/web/js/store.js';
import { sweep } from '../../../plots/web/js/sweep.js';
import { count, duration, share } from '../../../plots/web/js/units.js';
import { waitedFor } from '../../../plots/web/js/waits.js';

const told = JSON.parse(await text(process.stdin));
const seen = {};
if (told.numbers) {
  seen.words = told.numbers.map((number) => [duration(number), share(number / 1e6), count(number)]);
}
if (told.page) {
  const page = readFileSync(told.page, 'utf8');
  const part = (id) => new RegExp(`id="${id}">([^<]*)<`).exec(page)[1];
  const facts = JSON.parse(part('facts'));
  const [index, bins] = parts(await inflate(decode64(part('shares'))));
  const store = new Store(facts, index, bins);
  store.planes = await inflate(decode64(part('intervals')));
  const slots = new Int8Array(16).map((_, at) => at);
  seen.coverage = (told.windows ?? []).map(([lane, from, to, columns]) => {
    const out = new Float32Array(16 * columns);
    coverage(store, lane, from, to, columns, slots, out);
    return Array.from({ length: 16 }, (_, state) => Array.from(out.subarray(state * columns, (state + 1) * columns)));
  });
  seen.spans = [];
  for (const [from, to] of told.spans ?? []) {
    const amount = await sweep(store, from, to, async () => true);
    seen.spans.push({
      times: amount.times.map((times) => Array.from(times)),
      waits: Array.from(amount.waits),
      held: amount.held,
      contended: amount.contended,
      blame: [...amount.blame].flatMap(([waiter, row]) =>
        Array.from(row).flatMap((time, holder) => (time ? [[waiter, holder === row.length - 1 ? -1 : holder, time]] : [])),
      ),
      lines: [...amount.lines.values()].map((line) => [line.place, line.waited, line.holds, line.longest, line.lanes.size]),
    });
  }
  seen.waits = (told.waits ?? []).map(([lane, at]) => waitedFor(store, store.at(lane, at)).holders);
  seen.intervals = (told.lanes ?? []).map((lane) => {
    const found = [];
    store.walk(lane, 0, facts.length, (block, at) => {
      found.push([block.bounds[at], block.bounds[at + 1], block.state[at], block.place[at], block.about[at]]);
    });
    return found;
  });
}
process.stdout.write(JSON.stringify(seen));
