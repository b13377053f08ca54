import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { momentOf } from '../../src/diagnosis/moment.js';
import { widthOf } from '../../src/report/text.js';
import type { Tick } from '../../src/snapshot/reading.js';
import { reduce } from '../../src/top/reduce.js';
import { onceReport } from '../../src/top/report.js';
import type { Size } from '../../src/top/state.js';
import type { ScreenDrawing } from '../../src/top/store.js';
import {
  AT_MS,
  backend,
  demoTicks,
  holder,
  keys,
  pool,
  pooler,
  screenAfter,
  server,
  source,
  tick,
  ticked,
  typing,
} from './helpers.js';
import { frameOf, startRendering } from './render.js';

const SHOP = { name: 'shop', pid: 7, host: 'here', node: 'v20', startedAtMs: 0 };
const PLAIN: ScreenDrawing = { color: false, unicode: true, cwd: '/app' };
const SIZES: readonly Size[] = [
  { columns: 160, rows: 50 },
  { columns: 80, rows: 24 },
  { columns: 40, rows: 12 },
];
const golden = (name: string) => join(import.meta.dirname, '../../fixtures/top', `${name}.txt`);

let ticks: Tick[];
const zone = process.env.TZ;
beforeAll(async () => {
  process.env.TZ = 'UTC';
  ticks = await demoTicks(12);
  return () => {
    process.env.TZ = zone;
  };
});

function frame(size: Size, names: readonly string[], options: ScreenDrawing = PLAIN, all = ticks): string[] {
  return frameOf(screenAfter([...all.map(ticked), ...keys(...names)], { size, allowActions: true }), options);
}

const PLACES: readonly [name: string, keys: string[]][] = [
  ['pools', []],
  ['holders', ['2']],
  ['backends', ['3']],
  ['blocking', ['4']],
  ['pgbouncer', ['5']],
  ['events', ['6']],
  ['servers', ['7']],
  ['help', ['?']],
  ['lease', ['2', 'enter']],
  ['backend', ['4', 'enter']],
  ['clients', ['5', 'enter']],
  ['holders-by-site', ['2', 'g', 'g', 'g', 'g']],
  ['backends-by-application', ['3', 'g']],
  ['filter', ['2', '/', '!', 's', 'r', 'c', '/', 'o']],
  ['confirm', ['3', 't']],
  ['paused', ['2', ' ', 'down', 'down']],
];

describe('the screen', () => {
  for (const size of SIZES) {
    const name = `${size.columns}x${size.rows}`;
    it.each(PLACES)(`at ${name} shows %s like its golden`, async (place, names) => {
      const lines = frame(size, names);
      expect(lines.length).toBeLessThan(size.rows);
      expect(Math.max(...lines.map(widthOf))).toBeLessThan(size.columns);
      await expect(`${lines.map((line) => line.trimEnd()).join('\n')}\n`).toMatchFileSnapshot(
        golden(`${place}-${name}`),
      );
    });
  }

  it('shows the same in colour', () => {
    for (const size of SIZES) {
      for (const [, names] of PLACES) {
        const styled = frame(size, names, { ...PLAIN, color: true });
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the styles are escape sequences
        const plain = styled.map((line) => line.replace(/\x1b\[[0-9;]*m/g, '').trimEnd());
        expect(plain).toEqual(frame(size, names));
      }
    }
  });

  it('does without Unicode', () => {
    for (const [, names] of PLACES) {
      for (const line of frame({ columns: 160, rows: 50 }, names, { ...PLAIN, unicode: false }))
        expect(line).toMatch(/^[\x20-\x7e]*$/);
    }
  });

  it('fits any window', () => {
    const size = fc.record({
      columns: fc.integer({ min: 1, max: 250 }),
      rows: fc.integer({ min: 2, max: 80 }),
    });
    const place = fc.constantFrom(...PLACES.map(([, names]) => names));
    fc.assert(
      fc.property(size, place, (one, names) => {
        const lines = frame(one, names);
        expect(lines.length).toBeLessThan(one.rows);
        if (one.columns > 12) expect(lines[0]).toMatch(/^ 1 /);
        expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(Math.max(1, one.columns - 1));
      }),
      { numRuns: 80 },
    );
  });

  it('says so before anything was read, and where nothing is there', () => {
    const empty = frame({ columns: 80, rows: 24 }, [], PLAIN, []).join('\n');
    expect(empty).toContain('no reading yet');
    expect(frame({ columns: 80, rows: 24 }, ['5'], PLAIN, [tick(source())]).join('\n')).toContain(
      'add pgbouncer://',
    );
  });

  it('says at every size that the picture is held', () => {
    for (const size of SIZES) expect(frame(size, ['2', ' '])[0]).toMatch(/PAUSED$/);
  });

  it('makes the text of two rows anew where the selection moves by one', () => {
    const state = screenAfter([...ticks.map(ticked), ...keys('2')]);
    if (state.content.kind !== 'table') throw new Error('it is no table');
    const { table } = state.content;
    const made: number[] = [];
    const counted = {
      ...table,
      text: (...args: Parameters<typeof table.text>) => {
        made.push(args[0]);
        return table.text(...args);
      },
    };
    const before = { ...state, content: { ...state.content, table: counted } };
    const screen = startRendering(before, PLAIN);
    expect(new Set(made).size).toBeGreaterThan(10);
    made.length = 0;
    screen.show(reduce(before, { type: 'key', key: 'down' }, PLAIN));
    screen.end();
    expect([...new Set(made)]).toEqual([0, 1]);
  });

  it('says that no row fits a filter', () => {
    const state = screenAfter([...ticks.map(ticked), ...keys('2', '/'), ...typing('nowhere')]);
    expect(frameOf(state, PLAIN).join('\n')).toContain("no row fits the filter 'nowhere'");
  });

  it('marks what is stale', () => {
    const stale = { sinceMs: 0, why: 'connection refused', hint: null, failures: 2, retryMs: 1000 };
    const text = frame({ columns: 80, rows: 24 }, [], PLAIN, [
      tick(source({ pools: [pool()] }, { stale })),
    ]).join('\n');
    expect(text).toMatch(/pool:a \(stale 0: connection refused\)/);
  });

  const OF = { holders: [holder()], name: 'orders' };
  it.each([20, 40, 60, 80, 120, 200])(
    'at %i columns marks each row that is not of this moment',
    (columns) => {
      const stale = { sinceMs: 0, why: 'connection refused', hint: null, failures: 2, retryMs: 1000 };
      const old = [
        source({ pools: [pool(OF)], app: SHOP }, { stale: { ...stale, ended: true } }),
        source(
          {
            source: 'pg',
            kind: 'postgres',
            server: server(),
            backends: [backend({ pid: 7, blockedBy: [8] })],
          },
          { stale },
        ),
        source({ source: 'pgb', kind: 'pgbouncer', pooler: pooler() }, { stale }),
      ];
      const body = (key: string): string => {
        const lines = frame({ columns, rows: 24 }, [key], PLAIN, [tick(...old)]);
        return lines.filter((line) => line.startsWith('>')).join('\n');
      };
      for (const key of ['1', '2']) expect(body(key)).toMatch(/\bended\b/);
      for (const key of ['3', '4', '5', '7']) expect(body(key)).toMatch(/\bstale\b/);
    },
  );

  it('lists a process that has ended, and says nothing else of it', () => {
    const ended = { sinceMs: AT_MS - 3000, why: 'it has hung up', hint: null, failures: 1, retryMs: 1000 };
    const leases = Array.from({ length: 15 }, () => holder({ ageMs: 90_000, busy: false }));
    const text = frame({ columns: 120, rows: 24 }, [], PLAIN, [
      tick(
        source(
          { pools: [pool({ waiting: 4, longestWaitMs: 5000, holders: leases })], app: SHOP },
          { stale: { ...ended, ended: true } },
        ),
      ),
    ]).join('\n');
    expect(text).toContain('1 process has ended, and nothing else is read');
    expect(text).toContain('pool:a (ended 3.0s ago)');
    expect(text).not.toMatch(/leak|exhausted/);
  });
});

const EVIL = [
  '\x1b[2J\x1b[3J',
  '\x1b]0;title\x07',
  '\x9b31m',
  'a\r\nb\tc\0d\x7f',
  '\u202egnp.exe\u2066',
  '\u200b\u200d\ufeff',
  '漢字かな한글👩‍👩‍👧',
  'e\u0301'.repeat(5),
  'x'.repeat(3000),
];

describe('text from outside', () => {
  it('never reaches the terminal as anything but text', () => {
    const text = fc.oneof(
      fc.constantFrom(...EVIL),
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.array(fc.constantFrom(...EVIL), { maxLength: 4 }).map((parts) => parts.join('')),
    );
    const place = fc.constantFrom(...PLACES.map(([, names]) => names));
    fc.assert(
      fc.property(text, place, fc.constantFrom(...SIZES), fc.boolean(), (evil, names, size, unicode) => {
        const lines = frame(size, names, { ...PLAIN, unicode }, [hostileTick(evil)]);
        for (const line of lines) {
          expect(line).not.toMatch(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u);
          expect(widthOf(line)).toBeLessThan(size.columns);
        }
      }),
      { numRuns: 120 },
    );
  });

  it('is no more than text in plain output either', () => {
    for (const evil of EVIL) {
      const report = onceReport(momentOf(hostileTick(evil), null, PLAIN), { ...PLAIN, width: 80 });
      expect(report.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    }
  });
});

/** All text that can come from applications, servers and poolers is this one. */
function hostileTick(evil: string): Tick {
  const one = holder({ ageMs: 41_000, busy: false, site: evil, stack: evil, lastSql: evil, localPort: 5 });
  const stale = { sinceMs: 0, why: evil, hint: evil, failures: 1, retryMs: 1000 };
  return tick(
    source({
      source: evil,
      pools: [pool({ name: evil, driver: evil, createError: evil, waiting: 1, holders: [one] })],
      backends: [
        backend({
          pid: 1,
          clientPort: 5,
          application: evil,
          user: evil,
          database: evil,
          query: evil,
          state: evil,
        }),
        backend({ pid: 2, application: evil, waitType: evil, waitEvent: evil, blockedBy: [1], query: evil }),
      ],
      server: server({ version: evil }),
      pooler: pooler(
        {
          clients: [
            {
              id: evil,
              user: evil,
              database: evil,
              application: evil,
              state: evil,
              address: evil,
              port: 9,
              waitMs: 5,
              link: null,
            },
          ],
        },
        { database: evil, user: evil, mode: evil, clientsWaiting: 3 },
      ),
      gaps: [{ what: evil, why: evil }],
    }),
    source({ source: evil }, { stale }),
  );
}
