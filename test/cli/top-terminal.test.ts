import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startInTerminal, type TerminalOptions, type TerminalRun } from '../helpers/terminal.js';

const ENTER_ALTERNATE = '\x1b[?1049h';
const LEAVE_ALTERNATE = '\x1b[?1049l';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const WIPE_SCROLLBACK = '\x1b[3J';

const runs: TerminalRun[] = [];
afterEach(async () => {
  for (const run of runs.splice(0)) {
    try {
      run.signal('SIGTERM');
    } catch {
      // It has ended.
    }
    await run.ended;
  }
});

function start(argv: readonly string[], options?: TerminalOptions): TerminalRun {
  const run = startInTerminal(['top', ...argv], options);
  runs.push(run);
  return run;
}

async function demo(options?: TerminalOptions, ...argv: string[]): Promise<TerminalRun> {
  const run = start(['--demo', ...argv], options);
  await run.shows(/orders: exhausted/);
  return run;
}

/** The terminal was taken over and given back, once, and in the right order. */
function expectRestored(run: TerminalRun): void {
  const output = run.output();
  expect(output.split(ENTER_ALTERNATE)).toHaveLength(2);
  expect(output.split(LEAVE_ALTERNATE)).toHaveLength(2);
  expect(output.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(output.lastIndexOf(HIDE_CURSOR));
  expect(output.indexOf(LEAVE_ALTERNATE)).toBeGreaterThan(output.lastIndexOf('\x1b[1;1H'));
  expect(output).not.toContain(WIPE_SCROLLBACK);
}

describe('poolctl top in a terminal', () => {
  it.each([
    ['q', 'q', 0],
    ['Ctrl-C', '\x03', 0],
  ])('ends by %s and gives the terminal back', async (_, key, code) => {
    const run = await demo();
    run.type(key);
    expect(await run.ended).toBe(code);
    expectRestored(run);
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 0],
  ] as const)('ends by %s and gives the terminal back', async (signal, code) => {
    const run = await demo();
    run.signal(signal);
    expect(await run.ended).toBe(code);
    expectRestored(run);
  });

  it('gives the terminal back before it tells of a defect', async () => {
    const planted = `data:text/javascript,process.stdin.on("data",(t)=>{if(String(t)==="X")setTimeout(()=>{throw new Error("planted")})})`;
    const run = await demo({ nodeArgs: ['--import', planted] });
    run.type('X');
    expect(await run.ended).toBe(70);
    expectRestored(run);
    expect(run.output().split(LEAVE_ALTERNATE)[1]).toContain('planted');
  });

  it('is led through all views by keys', async () => {
    const run = await demo();
    run.type('2');
    await run.shows(/src\/orders\.ts:88 +idle in tx/);
    run.type('\x1b[B\r');
    await run.shows(/From the code to the database/);
    run.type('\x1b');
    await run.shows(/Holders +15 rows/);
    run.type('/!orders.ts\r');
    await run.shows(/Holders +12 of 15 rows/);
    run.type('3g');
    await run.shows(/Backends by application/);
    run.type('4');
    await run.shows(/└─24200/);
    run.type('5\r');
    await run.shows(/Clients of shop\/app/);
    run.type('6');
    await run.shows(/leak: lease/);
    run.type('?');
    await run.shows(/this help/);
    run.type(' ');
    await run.shows(/PAUSED/);
    run.type('q');
    expect(await run.ended).toBe(0);
    expectRestored(run);
  });

  it('plays a recording to its end, and can be asked after it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolctl-top-'));
    try {
      const file = join(folder, 'a.jsonl');
      const run = await demo({}, '--interval', '100ms', '--record', file);
      run.type('2');
      await run.shows(/src\/orders\.ts:88/);
      run.type('q');
      expect(await run.ended).toBe(0);
      const replay = start(['--replay', file, '--interval', '100ms']);
      await replay.shows(/end of the recording/);
      replay.type('2');
      await replay.shows(/src\/orders\.ts:88 +idle in tx/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('loses no key of many that come at once', async () => {
    const run = await demo();
    run.type(`3${'\x1b[B'.repeat(40)}${'\x1b[A'.repeat(30)}/orders-api\r`);
    await run.shows(/Backends +15 of 17 rows +filter: orders-api/);
  });

  it('fits a window that becomes smaller and larger, and never wipes the scrollback', async () => {
    const run = await demo({ columns: 160, rows: 50 });
    run.resize(40, 12);
    await run.shows(/^ 1 Pools {2}2 {2}3/);
    run.resize(160, 50);
    await run.shows(/1 Pools {2}2 Holders .* 6 Events/);
    run.type('q');
    expect(await run.ended).toBe(0);
    expectRestored(run);
  });

  it('does without colour and without Unicode', async () => {
    const run = await demo({ env: { NO_COLOR: '1', LANG: 'C' } });
    run.type('4');
    await run.shows(/`-24200/);
    // Taking the terminal over and back apart, there is no style but the reset at the end of a line.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is looked for are escape sequences
    expect(run.output()).not.toMatch(/\x1b\[(?!0m)[0-9;]+m/);
    expect([...run.output()].every((char) => char < '\x7f')).toBe(true);
  });

  it.each([
    ['TERM is dumb', { TERM: 'dumb' }],
    ['it runs in CI', { CI: 'true' }],
  ])('is a table where %s', async (_, env) => {
    const run = start(['--demo'], { env });
    expect(await run.ended).toBe(0);
    expect(run.output()).not.toContain(ENTER_ALTERNATE);
    expect(run.output()).toContain(
      'orders: exhausted; 3 of 15 leases held > 30 s in a transaction by src/orders.ts:88',
    );
  });
});
