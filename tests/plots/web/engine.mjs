// Runs Perfetto's own trace_processor (WebAssembly, in a worker of its web page) in Chromium: JSON in, JSON out.
//   {"chromium": PATH, "base": URL of the folder with engine_bundle.js, "requests": [BASE64, …], "replies": COUNT}
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { chromium } from 'playwright-core';

const told = JSON.parse(await text(process.stdin));
const profile = mkdtempSync(join(tmpdir(), 'gilscope-chromium-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: told.chromium,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});
let replies = [];
try {
  const page = await context.newPage();
  await page.goto(`${told.base}/manifest.json`);
  replies = await page.evaluate(
    ({ base, requests, wanted }) =>
      new Promise((done, failed) => {
        const found = [];
        const worker = new Worker(`${base}/engine_bundle.js`);
        worker.onerror = (error) => failed(new Error(error.message));
        const channel = new MessageChannel();
        channel.port1.onmessage = ({ data }) => {
          found.push(btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join('')));
          if (found.length === wanted) done(found);
        };
        worker.postMessage(channel.port2, [channel.port2]);
        for (const request of requests) {
          channel.port1.postMessage(Uint8Array.from(atob(request), (sign) => sign.charCodeAt(0)));
        }
      }),
    { base: told.base, requests: told.requests, wanted: told.replies },
  );
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
process.stdout.write(JSON.stringify({ replies }));
