import { EventEmitter, once } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { Tick } from '../../src/snapshot/reading.js';
import { BINDINGS } from '../../src/top/keys.js';
import { type Feed, runSession } from '../../src/top/session.js';
import type { ScreenDrawing } from '../../src/top/store.js';
import { screenOf } from '../helpers/screen.js';
import { backend, demoTicks, pool, source, tick } from './helpers.js';

const DRAWING: ScreenDrawing = { color: false, unicode: true, cwd: '/app' };

/** A screen must have come to what a test waits for within this time. */
const PATIENCE_MS = 20_000;

let ticks: Tick[];
beforeAll(async () => {
  ticks = await demoTicks(5);
});

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A session on a terminal of strings, with the real Ink. */
function start(drawing: ScreenDrawing = DRAWING) {
  const window = { columns: 100, rows: 30 };
  const events = new EventEmitter();
  const stop = new AbortController();
  let output = '';
  let onText = (_: string): void => {};
  const early: Tick[] = [];
  let onTick = (one: Tick): void => void early.push(one);
  let raw = false;
  const screen = () => screenOf(output);
  const feed: Feed = {
    start(listener) {
      onTick = listener;
      for (const one of early) listener(one);
    },
    setInterval() {},
    setPaused() {},
    async [Symbol.asyncDispose]() {},
  };
  const over = runSession({
    terminal: {
      get columns() {
        return window.columns;
      },
      get rows() {
        return window.rows;
      },
      closed: false,
      tell(text) {
        output += text;
        events.emit('told');
      },
      onResize(listener) {
        events.on('resize', listener);
        return () => events.off('resize', listener);
      },
    },
    keyboard: {
      listen(listener) {
        onText = listener;
        raw = true;
        return () => {
          raw = false;
        };
      },
    },
    feed,
    clock: systemClock,
    drawing,
    state: { intervalMs: 1000 },
    act: null,
    stop: stop.signal,
  });
  ends.push(async () => {
    stop.abort();
    await over.catch(() => {});
  });
  return {
    over,
    type: (text: string) => onText(text),
    tick: (one: Tick) => onTick(one),
    isRaw: () => raw,
    output: () => output,
    screen,
    resize(columns: number, rows: number) {
      Object.assign(window, { columns, rows });
      events.emit('resize');
    },
    async shows(pattern: RegExp): Promise<void> {
      const late = AbortSignal.timeout(PATIENCE_MS);
      while (!pattern.test(screen().join('\n'))) {
        await once(events, 'told', { signal: late }).catch(() => {
          throw new Error(`did not show ${pattern} but:\n${screen().join('\n')}`);
        });
      }
    },
  };
}

/** What a terminal sends for a key. */
const SENT: Readonly<Record<string, readonly string[]>> = {
  up: ['\x1b[A', '\x1bOA'],
  down: ['\x1b[B', '\x1bOB'],
  right: ['\x1b[C', '\x1bOC'],
  left: ['\x1b[D', '\x1bOD'],
  home: ['\x1b[H', '\x1bOH', '\x1b[1~', '\x1b[7~'],
  end: ['\x1b[F', '\x1bOF', '\x1b[4~', '\x1b[8~'],
  pageup: ['\x1b[5~'],
  pagedown: ['\x1b[6~'],
  enter: ['\r', '\n'],
  tab: ['\t'],
  'shift-tab': ['\x1b[Z'],
  escape: ['\x1b'],
  backspace: ['\x7f', '\b'],
  'ctrl-c': ['\x03', '\x04'],
};

/** Backends by pid, oldest transaction first. */
function backends(count: number, step = 1): Tick {
  const all = Array.from({ length: count }, (_, at) =>
    backend({ pid: 1000 + at, transactionMs: 1e6 - at * step }),
  );
  return tick(source({ kind: 'postgres', source: 'pg', backends: all }));
}

describe('a session on a terminal', () => {
  it('draws what is read, and goes where keys lead', async () => {
    const run = start();
    run.tick(ticks[0]!);
    await run.shows(/1 Pools .* 6 Events/);
    run.tick(ticks[1]!);
    await run.shows(/orders: exhausted/);
    run.type('2');
    await run.shows(/src\/orders\.ts:88/);
    run.type('\x1b[B\r');
    await run.shows(/From the code to the database/);
    run.type('q');
    await run.over;
    expect(run.isRaw()).toBe(false);
    expect(run.output().endsWith('\x1b[?1049l')).toBe(true);
  });

  it('hands every key to the screen, in whichever way it is sent', async () => {
    const keys = BINDINGS.flatMap((binding) => binding.keys);
    expect(keys.filter((key) => key.length > 1 && SENT[key] === undefined)).toEqual([]);
    const run = start();
    run.tick(backends(100));
    // Five rows from the end of the first page; up and down, ends and pages, all three ways of each.
    run.type('3\x1b[B\x1bOB\x1b[A\x1bOA\x1b[B');
    await run.shows(/> +1001 /);
    for (const [at, sent] of SENT.end!.entries()) {
      run.type(sent);
      await run.shows(/> +1099 /);
      run.type(SENT.home![at]!);
      await run.shows(/> +1000 /);
    }
    run.type('\x1b[6~');
    await run.shows(/> +1020 /);
    run.type('\x1b[5~\r');
    await run.shows(/Backends › Backend/);
    run.type('\x7f\n');
    await run.shows(/Backends › Backend/);
    run.type('\b\t');
    await run.shows(/^Blocking/m);
    run.type('\x1b[Z\x1b[C');
    await run.shows(/TX AGE *(?!▼)/);
    run.type('?');
    await run.shows(/this help/);
    run.type('\x1b6');
    await run.shows(/^Events/m);
    run.type('\x04');
    await run.over;
  });

  it('loses no key of many that come at once, however they are cut into pieces', async () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 1500 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(cuts, async (at) => {
        const run = start();
        run.tick(backends(1000));
        const text = `3${'\x1b[B'.repeat(500)}`;
        const places = [0, ...at.sort((one, other) => one - other), text.length];
        for (const [index, place] of places.entries()) run.type(text.slice(places[index - 1] ?? 0, place));
        await run.shows(/> +1500 /);
        run.type('q');
        await run.over;
      }),
      { numRuns: 8 },
    );
  });

  it('takes pasted text as text in a filter, and obeys none of it', async () => {
    const run = start();
    run.tick(backends(10));
    run.type('3/');
    run.type('q\x1b[31m\x1b[1;5R[A\x15100');
    await run.shows(/^\/100_/m);
    run.type('9\x7f7');
    await run.shows(/^\/1007_/m);
    await run.shows(/1 of 10 rows/);
  });

  it('keeps the keys that are typed before Ink has loaded', async () => {
    const run = start();
    run.type('6');
    expect(run.isRaw()).toBe(true);
    await run.shows(/^Events/m);
  });

  it('writes only the lines that have changed', async () => {
    const run = start();
    run.tick(backends(10));
    run.type('3');
    await run.shows(/> +1000 /);
    const before = run.output().length;
    run.type('\x1b[B');
    await run.shows(/> +1001 /);
    const written = run.output().slice(before);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: each line begins with a movement of the cursor
    const lines = written.match(/\x1b\[\d+;1H/g);
    expect(lines).toHaveLength(2);
  });

  it('fills a window that gets another size', async () => {
    const run = start();
    run.tick(ticks[0]!);
    await run.shows(/6 Events/);
    for (const [columns, rows, pattern] of [
      [40, 12, /filter$/m],
      [160, 50, /quit$/m],
      [20, 6, /^ 1 Pools {2}2 {2}3 {2}4/m],
      [100, 30, /quit$/m],
    ] as const) {
      run.resize(columns, rows);
      await run.shows(pattern);
      expect(run.screen().length).toBeLessThanOrEqual(rows);
      expect(Math.max(...run.screen().map((line) => line.length))).toBeLessThan(columns);
    }
    // A window that comes back to its size has lost its text all the same.
    run.resize(100, 30);
    await run.shows(/6 Events/);
  });

  it.each([true, false])(
    'has color where color is wanted, whatever the environment says: %s',
    async (color) => {
      const run = start({ ...DRAWING, color });
      run.tick(ticks[4]!);
      await run.shows(/orders: exhausted/);
      expect(run.output().includes('\x1b[31m!! orders')).toBe(color);
      expect(run.output().includes('\x1b[7m')).toBe(color);
    },
  );

  it('gives the terminal back when a component throws', async () => {
    const run = start();
    const broken = pool();
    run.tick(tick(source({ pools: [broken] })));
    await run.shows(/orders/);
    // Read while the table is drawn, and not before.
    Object.defineProperty(broken, 'driver', {
      get() {
        throw new Error('planted');
      },
    });
    run.resize(200, 30);
    await expect(run.over).rejects.toThrow('planted');
    expect(run.isRaw()).toBe(false);
    expect(run.output().split('\x1b[?1049l')).toHaveLength(2);
  });
});
