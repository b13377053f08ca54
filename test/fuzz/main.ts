/** `npm run fuzz [PARSER] [-- --inputs N --seed S]`: what scripts/fuzz.mjs runs, bundled. Ends with 1 if there is a finding. */
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { fuzz } from './fuzz.js';
import { PARSERS } from './parsers.js';

/** Ends the process, and says which input it was, if one takes a minute. */
const WATCHDOG = `
const { workerData: { last } } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const counter = new Int32Array(last, 0, 2);
let before = -1;
setInterval(() => {
  if (counter[0] === before) {
    const text = Buffer.from(new Uint8Array(last, 8, counter[1])).toString();
    writeSync(1, '  hang: ' + JSON.stringify(text.slice(0, 2000)) + '\\n');
    process.kill(process.pid, 'SIGKILL');
  }
  before = counter[0];
}, 60_000);
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !Object.hasOwn(PARSERS, name));
if (values.help) {
  process.stdout.write(
    `npm run fuzz -- [PARSER...] [--inputs N] [--seed S]\nparsers: ${Object.keys(PARSERS).join(', ')}\n`,
  );
} else if (unknown.length > 0) {
  process.stderr.write(`unknown parser '${unknown[0]}'; known are ${Object.keys(PARSERS).join(', ')}\n`);
  process.exitCode = 2;
} else await run(positionals.length === 0 ? Object.keys(PARSERS) : positionals);

async function run(names: readonly string[]): Promise<void> {
  const last = new SharedArrayBuffer(1_000_000);
  // A parser that hangs cannot say so itself.
  const watchdog = new Worker(WATCHDOG, { eval: true, workerData: { last } });
  const bytes = new Uint8Array(last);
  const counter = new Int32Array(last, 0, 2);
  const encoder = new TextEncoder();
  const onInput = (text: string): void => {
    counter[1] = encoder.encodeInto(text, bytes.subarray(8)).written;
    Atomics.add(counter, 0, 1);
  };
  let found = 0;
  for (const name of names) {
    const parser = PARSERS[name];
    if (parser === undefined) continue;
    const report = fuzz(parser, { inputs: Number(values.inputs), seed: Number(values.seed), onInput });
    const { inputs, accepted, refused, slowestMs, findings } = report;
    process.stdout.write(
      `${name.padEnd(18)} ${String(inputs).padStart(7)} inputs, ${String(accepted).padStart(6)} accepted, ` +
        `${String(refused).padStart(6)} refused, slowest ${slowestMs.toFixed(1)} ms of CPU, ${findings.length} findings\n`,
    );
    for (const { kind, input, what } of findings) {
      process.stdout.write(`  ${kind}: ${what}\n  input: ${JSON.stringify(input.slice(0, 2000))}\n`);
    }
    found += findings.length;
  }
  await watchdog.terminate();
  process.exitCode = found > 0 ? 1 : 0;
}
