import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileBudget } from '../../src/ib/file-budget.js';
import { redisBudget } from '../../src/ib/redis-budget.js';
import { type Claim, createSharedPacer, type SharedBudget } from '../../src/ib/shared-budget.js';
import { startRedis } from '../helpers/redis.js';
import { RedisClient } from '../helpers/redis-client.mjs';
import { VirtualClock } from '../helpers/virtual-clock.js';

const MESSAGES: Claim = { key: 'messages', weight: 1, most: 3, windowMs: 60_000 };
const folder = mkdtempSync(join(tmpdir(), 'poolctl-budget-'));
const redis = await startRedis();
const clients: RedisClient[] = [];
let files = 0;

beforeAll(async () => {
  for (let at = 0; at < 2 && redis !== null; at++) clients.push(await RedisClient.connect(redis.port));
});
afterAll(async () => {
  for (const client of clients) client.close();
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Two budgets over one store. */
const stores: readonly (readonly [string, () => readonly SharedBudget[]])[] = [
  [
    'a file',
    () => {
      const path = join(folder, `${++files}`);
      return [fileBudget(path), fileBudget(path)];
    },
  ],
  [
    'Redis',
    () => {
      const name = `gateway ${++files}`;
      return clients.map((client) =>
        redisBudget((script, keys, args) => client.evaluate(script, keys, args), { name }),
      );
    },
  ],
];

describe.each(redis === null ? stores.slice(0, 1) : stores)('a budget in %s', (_, budgets) => {
  it('lets no more go than the window has room for, whoever asks', async () => {
    const both = budgets();
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_one, at) => both[at % 2]?.take([MESSAGES])),
    );
    expect(answers.filter((answer) => answer === null)).toHaveLength(3);
    for (const answer of answers) {
      if (answer === null) continue;
      expect(answer).toMatchObject({ key: 'messages' });
      expect(answer?.waitMs).toBeGreaterThan(0);
      expect(answer?.waitMs).toBeLessThanOrEqual(60_000);
    }
    // Urgent messages have a little more.
    expect(await both[0]?.take([{ ...MESSAGES, most: 4 }])).toBeNull();
    expect(await both[1]?.take([{ ...MESSAGES, most: 4 }])).not.toBeNull();
  });

  it('takes room in all windows, or in none', async () => {
    const [budget] = budgets();
    const series: Claim = { key: 'series', weight: 2, most: 3, windowMs: 60_000 };
    expect(await budget?.take([MESSAGES, series])).toBeNull();
    expect(await budget?.take([MESSAGES, series])).toMatchObject({ key: 'series' });
    expect(await budget?.take([MESSAGES])).toBeNull();
    expect(await budget?.take([MESSAGES])).toBeNull();
    expect(await budget?.take([MESSAGES])).toMatchObject({ key: 'messages' });
    // One that weighs more than the window holds gets through when it is empty.
    expect(await budget?.take([{ key: 'small', weight: 2, most: 1, windowMs: 60_000 }])).toBeNull();
  });

  it('has room again when the window is over', async () => {
    const [budget] = budgets();
    const short = { ...MESSAGES, most: 1, windowMs: 50 };
    expect(await budget?.take([short])).toBeNull();
    let full = await budget?.take([short]);
    while (full != null) {
      await new Promise((resolve) => setTimeout(resolve, full?.waitMs));
      full = await budget?.take([short]);
    }
    expect(full).toBeNull();
  });
});

describe('a budget in a file', () => {
  it('goes on after a process has died with the lock, and after its file was cut short', async () => {
    const path = join(folder, 'died');
    writeFileSync(path, '{"messages":[1');
    writeFileSync(`${path}.lock`, '');
    const long = new Date(Date.now() - 60_000);
    utimesSync(`${path}.lock`, long, long);
    expect(await fileBudget(path).take([MESSAGES])).toBeNull();
    expect(Object.keys(JSON.parse(readFileSync(path, 'utf8')))).toEqual(['messages']);
  });

  it('is kept by processes side by side', async () => {
    const path = join(folder, 'processes');
    const module = (name: string): string =>
      JSON.stringify(join(import.meta.dirname, `../../dist/src/ib/${name}.js`));
    // Each notes the time by which its budget has counted a message: that of the file, whatever else is slow.
    const script = `
      import { fileBudget } from ${module('file-budget')};
      import { createSharedPacer } from ${module('shared-budget')};
      let wall = 0;
      const clock = {
        now: () => performance.now(),
        wallTime: () => (wall = Date.now()),
        setTimer: (callback, ms) => { const timer = setTimeout(callback, ms); return { cancel: () => clearTimeout(timer) }; },
        defer: (callback) => setImmediate(callback),
      };
      const inner = fileBudget(${JSON.stringify(path)}, { clock });
      const times = [];
      const budget = { take: async (claims) => { const full = await inner.take(claims); if (full === null) times.push(wall); return full; } };
      const pacer = createSharedPacer({ budget, messagesPerSecond: 20, limitPerSecond: 25 });
      await Promise.all(Array.from({ length: 25 }, () => pacer.send({ kind: 'request' }, () => {})));
      console.log(JSON.stringify(times));
    `;
    const run = promisify(execFile);
    const outputs = await Promise.all(
      [1, 2].map(() => run(process.execPath, ['--input-type=module', '--eval', script])),
    );
    const times = outputs.flatMap(({ stdout }) => JSON.parse(stdout) as number[]).sort((a, b) => a - b);
    expect(times).toHaveLength(50);
    for (const [at, time] of times.entries()) {
      const within = times.slice(at).filter((other) => other < time + 1000).length;
      expect(within, `messages within a second from ${time}`).toBeLessThanOrEqual(20);
    }
  });
});

/** A budget that the test fills. */
function held(clock: VirtualClock, pacing: object = {}) {
  const asked: (readonly Claim[])[] = [];
  const full = new Map<string, number>();
  const errors: string[] = [];
  const budget: SharedBudget = {
    async take(claims) {
      asked.push(claims);
      if (full.has('broken')) throw new Error('no such server');
      const claim = claims.find(({ key }) => full.has(key));
      return claim === undefined ? null : { key: claim.key, waitMs: full.get(claim.key) ?? 0 };
    },
  };
  const pacer = createSharedPacer({
    clock,
    budget,
    onBudgetError: ({ message }) => errors.push(message),
    ...pacing,
  });
  return { asked, full, errors, pacer };
}

const HISTORY = {
  kind: 'history',
  history: { identity: 'a', series: 'b', weight: 2, smallBars: true },
} as const;

describe('pacing with a shared budget', () => {
  it('waits for the budget, and lets urgent messages go first', async () => {
    const clock = new VirtualClock();
    const { full, pacer } = held(clock);
    full.set('messages', 100);
    const sent: string[] = [];
    void pacer.send({ kind: 'request' }, () => void sent.push('request'));
    await clock.advance(50);
    void pacer.send({ kind: 'urgent' }, () => void sent.push('urgent'));
    await clock.settle();
    expect(sent).toEqual([]);
    full.clear();
    await clock.advance(1000);
    expect(sent).toEqual(['urgent', 'request']);
  });

  it('asks for the windows of history, which keep only history', async () => {
    const clock = new VirtualClock();
    const { asked, full, pacer } = held(clock);
    full.set('ten minutes', 1e6);
    const sent: string[] = [];
    void pacer.send(HISTORY, () => void sent.push('history'));
    void pacer.send({ kind: 'request' }, () => void sent.push('request'));
    await clock.settle();
    expect(sent).toEqual(['request']);
    expect(asked[0]?.map(({ key, weight, most }) => [key.split(' ')[0], weight, most])).toEqual([
      ['messages', 1, 45],
      ['same', 1, 1],
      ['series', 1, 5],
      ['ten', 2, 60],
    ]);
    full.clear();
    await clock.advance(1000);
    expect(sent).toEqual(['request', 'history']);
  });

  it('goes by its own limits where the budget cannot be asked', async () => {
    const clock = new VirtualClock();
    const { full, errors, pacer } = held(clock);
    full.set('broken', 0);
    const sent: string[] = [];
    await pacer.send({ kind: 'urgent' }, () => void sent.push('order'));
    expect(sent).toEqual(['order']);
    expect(errors).toEqual(['no such server']);
    expect(pacer.snapshot()).toMatchObject({ sent: 1, limitPerSecond: 50 });
  });

  it('sends nothing for a caller who has given up while it waited for the budget', async () => {
    const clock = new VirtualClock();
    const { full, pacer } = held(clock);
    full.set('messages', 100);
    const abort = new AbortController();
    const sent: string[] = [];
    const waiting = pacer.send(
      { kind: 'urgent' },
      () => void sent.push('order'),
      () => abort.signal,
    );
    waiting.catch(() => {});
    await clock.settle();
    abort.abort(new Error('the session is over'));
    await expect(waiting).rejects.toThrow('the session is over');
    full.clear();
    await clock.advance(2000);
    expect(sent).toEqual([]);
  });
});
