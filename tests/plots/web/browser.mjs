// Opens a page in Chromium, does what it is told on stdin, and prints what it saw: JSON in, JSON out.
// `ready` is when the page is to be looked at; by default when ours is complete.
//   {"page": FILE, "scheme": "light", "hash": "", "steps": [{"key": "w"}, {"click": "#fit"}, {"eval": "1 + 1"}, …]}
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { chromium } from 'playwright-core';

const told = JSON.parse(await text(process.stdin));
const profile = mkdtempSync(join(tmpdir(), 'gilscope-chromium-'));
const seen = { errors: [], requests: [], results: [] };
const context = await chromium.launchPersistentContext(profile, {
  executablePath: told.chromium,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  viewport: { width: 1400, height: told.height ?? 1000 },
  colorScheme: told.scheme ?? 'light',
  acceptDownloads: false,
});
try {
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && seen.errors.push(message.text()));
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('request', (request) => seen.requests.push(request.url().split('#')[0]));
  await page.goto(`file://${told.page}${told.hash ?? ''}`);
  const ready = told.ready ?? "['complete', 'failed'].includes(document.documentElement.dataset.state ?? '')";
  const until = Date.now() + 60_000;
  // Asked from outside: the page's own policy lets nobody evaluate text in it.
  while (!(await page.evaluate(ready))) {
    if (Date.now() > until) throw new Error(`never so: ${ready}`);
    await new Promise((done) => setTimeout(done, 20));
  }
  const drawn = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  for (const step of told.steps ?? []) {
    if (step.key) await page.keyboard.press(step.key);
    if (step.type) await page.keyboard.type(step.type);
    if (step.click) await page.locator(step.click).first().click();
    if (step.focus) await page.locator(step.focus).focus();
    if (step.move) await page.mouse.move(...step.move);
    if (step.wheel) await page.mouse.wheel(0, step.wheel);
    if (step.drag) {
      await page.mouse.move(...step.drag[0]);
      await page.mouse.down();
      await page.mouse.move(...step.drag[1], { steps: 5 });
      await page.mouse.up();
    }
    if (step.wait) await page.waitForSelector(step.wait, { timeout: 60_000 });
    if (!step.wait && !step.eval) await drawn();
    if (step.eval) seen.results.push((await page.evaluate(step.eval)) ?? null);
    if (step.shot) {
      const clip = step.height && { x: 0, y: 0, width: 1400, height: step.height };
      await page.screenshot({ path: step.shot, fullPage: true, ...(clip && { clip }) });
    }
  }
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }); // it may still be writing
}
process.stdout.write(JSON.stringify(seen));
