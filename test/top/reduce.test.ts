import { beforeAll, describe, expect, it } from 'vitest';
import type { Tick } from '../../src/snapshot/reading.js';
import type { Message } from '../../src/top/reduce.js';
import { reduce } from '../../src/top/reduce.js';
import { selectedIndex } from '../../src/top/select.js';
import { here, type State } from '../../src/top/state.js';
import {
  backend,
  demoTicks,
  holder,
  keys,
  pool,
  SELECT,
  screenAfter,
  source,
  tick,
  ticked,
  typing,
} from './helpers.js';

let ticks: Tick[];
beforeAll(async () => {
  ticks = await demoTicks(5);
});

const start = (...messages: Message[]): State => screenAfter([...ticks.map(ticked), ...messages]);

function tableIn(state: State) {
  const { content } = state;
  if (content.kind !== 'table') throw new Error('it is no table');
  return content.table;
}

const rowOf = (state: State) => selectedIndex(tableIn(state), here(state));

describe('the screen', () => {
  it.each<[keys: string[], place: unknown]>([
    [[], { kind: 'view', view: 'pools' }],
    [['2'], { kind: 'view', view: 'holders' }],
    [['tab', 'tab'], { kind: 'view', view: 'backends' }],
    [['shift-tab'], { kind: 'view', view: 'sizes' }],
    [['enter'], { kind: 'pool' }],
    [['enter', 'enter'], { kind: 'lease' }],
    [['enter', 'enter', 'escape'], { kind: 'pool' }],
    [['enter', 'enter', 'escape', 'escape', 'escape'], { kind: 'view', view: 'pools' }],
    [['enter', '4'], { kind: 'view', view: 'blocking' }],
    [['3', 'enter'], { kind: 'backend' }],
    [['4', 'enter'], { kind: 'backend' }],
    [['5', 'enter'], { kind: 'clients' }],
    [['5', 'enter', 'down', 'enter'], { kind: 'backend' }],
    [['2', 'g', 'enter'], { kind: 'group', view: 'holders', by: 'application', value: 'orders-api' }],
    [['3', 'g', 'g', 'g', 'g', 'enter'], { kind: 'group', view: 'backends', by: 'site' }],
    [['?'], { kind: 'view', view: 'help' }],
    [['2', '?', '?'], { kind: 'view', view: 'holders' }],
    [['6', 'enter'], { kind: 'view', view: 'events' }],
  ])('after the keys %j is at %o', (names, place) => {
    expect(here(start(...keys(...names))).place).toMatchObject(place as object);
  });

  it('goes back to the row from which it came', () => {
    const there = start(...keys('2', 'down', 'down', 'enter'));
    const back = reduce(there, { type: 'key', key: 'escape' }, SELECT);
    expect(rowOf(back)).toBe(2);
  });

  it('moves within the rows', () => {
    const at = (...names: string[]) => rowOf(start(...keys('3', ...names)));
    const last = tableIn(start(...keys('3'))).keys.length - 1;
    expect([at('up'), at('down', 'down', 'up'), at('end'), at('end', 'home'), at('end', 'down')]).toEqual([
      0,
      1,
      last,
      0,
      last,
    ]);
    expect(at('pagedown')).toBe(Math.min(14, last));
  });

  it('keeps to its row when the order changes, and to its place when the row has gone', () => {
    const of = (...pids: number[]) =>
      tick(
        source({
          kind: 'postgres',
          source: 'pg',
          backends: pids.map((pid) => backend({ pid, transactionMs: 9000 - pid })),
        }),
      );
    const chosen = screenAfter([ticked(of(1, 2, 3)), ...keys('3', 'down')]);
    const more = reduce(chosen, ticked(of(0, 1, 2, 3)), SELECT);
    expect(rowOf(more)).toBe(2);
    const gone = reduce(more, ticked(of(0, 1)), SELECT);
    expect(rowOf(gone)).toBe(1);
  });

  it('sorts by every column, both ways', () => {
    const columns = tableIn(start(...keys('2'))).columns.map(({ id }) => id);
    const seen = columns.map(
      (_, at) => tableIn(start(...keys('2', ...Array(at + 1).fill('s')))).sort?.column,
    );
    expect(seen).toEqual(columns);
    const ages = (...names: string[]) => {
      const state = start(...keys('2', ...names));
      const byKey = new Map(
        (state.shown?.facts.holders ?? []).map((one) => [one.key, one.holder.ageMs ?? 0]),
      );
      return tableIn(state).keys.map((key) => byKey.get(key) ?? 0);
    };
    expect(ages('s')).toEqual([...ages('s')].sort((one, other) => other - one));
    expect(ages('s', 'r')).toEqual([...ages('s')].reverse());
    expect(tableIn(start(...keys('2', 'S'))).sort?.column).toBe(columns.at(-1));
  });

  it('puts what was not measured last, whichever way it sorts', () => {
    const some = tick(
      source({
        kind: 'postgres',
        source: 'pg',
        backends: [null, 5, 9].map((ms, at) => backend({ pid: at, transactionMs: ms })),
      }),
    );
    const order = (...names: string[]) => tableIn(screenAfter([ticked(some), ...keys('3', ...names)])).keys;
    expect(order()).toEqual(['pg 2', 'pg 1', 'pg 0']);
    expect(order('r')).toEqual(['pg 1', 'pg 2', 'pg 0']);
  });

  it.each([
    ['stock.ts', (site: string) => site.includes('stock.ts')],
    ['STOCK.ts', (site: string) => site.includes('stock.ts')],
    ['!orders.ts', (site: string) => !site.includes('orders.ts')],
  ])('keeps with the filter %s the rows that fit', (filter, fits) => {
    const state = start(...keys('2', '/'), ...typing(filter), ...keys('enter'));
    const sites = new Map((state.shown?.facts.holders ?? []).map((one) => [one.key, one.holder.site ?? '']));
    const shown = tableIn(state).keys.map((key) => sites.get(key) ?? '');
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.every(fits)).toBe(true);
    expect(shown.length).toBe([...sites.values()].filter(fits).length);
  });

  it('takes letters as text while a filter is typed, and Esc takes it back', () => {
    const typed = start(...keys('2', '/'), ...typing('q1?'));
    expect(typed).toMatchObject({ ended: false, prompt: { kind: 'filter', text: 'q1?' } });
    expect(here(reduce(typed, { type: 'key', key: 'escape' }, SELECT)).filter).toBe('');
    expect(here(start(...keys('2', '/'), ...typing('ab'), ...keys('backspace', 'enter'))).filter).toBe('a');
    const kept = start(...keys('2', '/'), ...typing('ab'), ...keys('enter', 'escape'));
    expect(here(kept)).toMatchObject({ filter: '', place: { view: 'holders' } });
  });

  it('holds the picture while it is paused, and goes on with what was read since', () => {
    const paused = screenAfter([ticked(ticks[0]!), ...keys(' '), ticked(ticks[1]!)]);
    expect(paused).toMatchObject({ paused: true, shown: { tick: ticks[0] }, latest: { tick: ticks[1] } });
    expect(reduce(paused, { type: 'key', key: 'p' }, SELECT)).toMatchObject({
      paused: false,
      shown: { tick: ticks[1] },
    });
  });

  it('reads more and less often', () => {
    const intervalAfter = (...names: string[]) => start(...keys(...names)).intervalMs;
    expect([
      intervalAfter('+'),
      intervalAfter('-'),
      intervalAfter('+', '+', '-'),
      intervalAfter(...Array(20).fill('-')),
    ]).toEqual([2000, 500, 2000, 250]);
  });

  it.each(['q', 'ctrl-c'])('ends by %s, also while something is typed or asked', (key) => {
    expect(start(...keys(key)).ended).toBe(true);
    expect(start(...keys('2', '/', 'ctrl-c')).ended).toBe(true);
  });

  it('asks before it acts, and only where it may', () => {
    const at = (...names: string[]) =>
      screenAfter([...ticks.map(ticked), ...keys('3', ...names)], { allowActions: true });
    expect(start(...keys('3', 'c'))).toMatchObject({ prompt: null, action: null, notice: { tone: 'warn' } });
    expect(at('c')).toMatchObject({ action: null, prompt: { kind: 'confirm', action: { verb: 'cancel' } } });
    expect(at('t', 'n')).toMatchObject({ action: null, prompt: null });
    expect(at('t', 'y')).toMatchObject({
      action: { verb: 'terminate', source: 'demo:postgres', user: 'app', database: 'shop' },
    });
    const done = reduce(at('t', 'y'), { type: 'acted', done: true, words: 'backend 1: was ended' }, SELECT);
    expect(done).toMatchObject({ action: null, notice: { words: 'backend 1: was ended' } });
    expect(done.events[0]).toMatchObject({ about: 'you' });
  });

  it('acts on the backend of a lease too', () => {
    const state = screenAfter([...ticks.map(ticked), ...keys('2', 'enter', 't')], { allowActions: true });
    const [first] = state.shown?.facts.holders ?? [];
    expect(state.prompt).toMatchObject({ action: { pid: first?.backend?.backend.pid } });
  });

  it('tells what has happened', () => {
    const stale = { sinceMs: 0, why: 'nobody listens', hint: null, failures: 1, retryMs: 1000 };
    const calm = tick(source({ pools: [pool()] }));
    const leak = holder({ ageMs: 31_000, busy: false });
    const busy = tick(
      source({ pools: [pool({ waiting: 2, holders: [leak], takenAtMs: calm.atMs + 1000 })] }, { stale }),
    );
    const words = screenAfter([ticked(calm), ticked(busy), ticked(calm)]).events.map((one) => one.words);
    expect(words).toEqual(
      expect.arrayContaining([
        'cannot be read: nobody listens',
        'exhausted: 1 leases out, 2 waiting',
        'leak: lease 1 out for 31s, acquired at src/orders.ts:88',
        'nobody waits any more',
        expect.stringMatching(/^is read again/),
      ]),
    );
  });

  it('changes nothing by a key that means nothing', () => {
    const before = start();
    expect(reduce(before, { type: 'key', key: 'Z' }, SELECT)).toEqual({ ...before, notice: null });
  });
});
