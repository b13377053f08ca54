import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fileBudget } from '../../src/ib/file-budget.js';
import { redisBudget } from '../../src/ib/redis-budget.js';
import type { Claim } from '../../src/ib/shared-budget.js';
import { startRedis } from '../helpers/redis.js';
import { RedisClient } from '../helpers/redis-client.mjs';

const MESSAGES: Claim = { key: 'messages', weight: 1, most: 3, windowMs: 60_000 };
const folder = mkdtempSync(join(tmpdir(), 'poolctl-budget-'));
const redis = await startRedis();
const root = join(import.meta.dirname, '../..');
const modules = {
  file: join(root, 'dist/src/ib/file-budget.js'),
  redis: join(root, 'dist/src/ib/redis-budget.js'),
  shared: join(root, 'dist/src/ib/shared-budget.js'),
  client: join(root, 'test/helpers/redis-client.mjs'),
};
let files = 0;

afterAll(async () => {
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function run(script: string): ChildProcessWithoutNullStreams {
  const imports = Object.entries(modules).map(
    ([name, path]) => `import * as ${name} from ${JSON.stringify(path)};`,
  );
  const child = spawn(process.execPath, ['--input-type=module', '--eval', [...imports, script].join('\n')]);
  child.stderr.pipe(process.stderr);
  return child;
}

async function outputOf(child: ChildProcessWithoutNullStreams): Promise<string> {
  let text = '';
  child.stdout.on('data', (bytes) => {
    text += String(bytes);
  });
  await once(child, 'close');
  return text;
}

/** What is written into the script of a process: an expression for its budget. */
function inFile(aheadMs = 0): string {
  const clock = `{
    now: () => performance.now(),
    wallTime: () => Date.now() + ${aheadMs},
    setTimer: (call, ms) => { const timer = setTimeout(call, ms); return { cancel: () => clearTimeout(timer) }; },
    defer: setImmediate,
  }`;
  return `file.fileBudget(${JSON.stringify(join(folder, `${files}`))}, { clock: ${clock} })`;
}

function inRedis(): string {
  const connect = `await client.RedisClient.connect(${redis?.port})`;
  return `await (async () => { const c = ${connect}; closing.push(() => c.close()); return redis.redisBudget((...call) => c.evaluate(...call), { name: '${files}' }); })()`;
}

/** Sends so many messages, and prints for each between which times its room was taken. */
function sendAll(budget: string, count: number): string {
  return `
    const closing = [];
    const inner = ${budget};
    const taken = [];
    const budget = {
      async take(claims) {
        const from = Date.now();
        const full = await inner.take(claims);
        if (full === null) taken.push([from, Date.now()]);
        return full;
      },
    };
    const pacer = shared.createSharedPacer({ budget, messagesPerSecond: 20, limitPerSecond: 25 });
    await Promise.all(Array.from({ length: ${count} }, () => pacer.send({ kind: 'request' }, () => {})));
    for (const close of closing) close();
    console.log(JSON.stringify(taken));`;
}

/** The most of which each was surely taken within one and the same second. */
function mostWithinASecond(taken: readonly (readonly [from: number, to: number])[]): number {
  return Math.max(
    ...taken.map(([start]) => taken.filter(([from, to]) => from >= start && to < start + 1000).length),
  );
}

const kinds: readonly (readonly [string, () => readonly string[]])[] = [
  ['in a file', () => [inFile(), inFile()]],
  ['in a file, of which one has a clock that is 5 seconds ahead', () => [inFile(), inFile(5000)]],
  ...(redis === null ? [] : [['on a Redis server', () => [inRedis(), inRedis()]] as const]),
];

describe('two processes with one budget', () => {
  it.each(kinds)('send no more together than one may: %s', async (_, budgets) => {
    files++;
    const outputs = await Promise.all(budgets().map((budget) => outputOf(run(sendAll(budget, 25)))));
    const taken = outputs.flatMap((text) => JSON.parse(text) as [number, number][]);
    expect(taken).toHaveLength(50);
    expect(mostWithinASecond(taken)).toBeLessThanOrEqual(20);
  });
});

/** Takes room in the file, and stands still with the lock for as long as the expression takes. */
function holdLock(path: string, standStill: string): string {
  return `
    import { writeSync } from 'node:fs';
    const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    let calls = 0;
    const clock = {
      now: () => performance.now(),
      wallTime() {
        // The third time it has the lock, and has read the file.
        if (++calls === 3) { writeSync(1, 'held\\n'); ${standStill}; }
        return Date.now();
      },
      setTimer: (call, ms) => { const timer = setTimeout(call, ms); return { cancel: () => clearTimeout(timer) }; },
      defer: setImmediate,
    };
    const full = await file.fileBudget(${JSON.stringify(path)}, { clock }).take([${JSON.stringify(MESSAGES)}]);
    writeSync(1, JSON.stringify(full) + '\\n');`;
}

describe('a budget in a file', () => {
  it('goes on after a process was killed with the lock, whose message does not count', async () => {
    const path = join(folder, 'killed');
    const holder = run(holdLock(path, 'sleep(60_000)'));
    await once(holder.stdout, 'data');
    holder.kill('SIGKILL');
    await once(holder, 'close');
    const budget = fileBudget(path);
    for (let at = 0; at < 3; at++) expect(await budget.take([MESSAGES])).toBeNull();
    expect(await budget.take([MESSAGES])).toMatchObject({ key: 'messages' });
  });

  it('is not overwritten by a process that was stopped with the lock, and goes on', async () => {
    const path = join(folder, 'stopped');
    const holder = run(holdLock(path, 'sleep(200)'));
    const output = outputOf(holder);
    await once(holder.stdout, 'data');
    holder.kill('SIGSTOP');
    const budget = fileBudget(path);
    for (let at = 0; at < 3; at++) expect(await budget.take([MESSAGES])).toBeNull();
    holder.kill('SIGCONT');
    // It asks again, and there is no room left.
    expect(JSON.parse((await output).split('\n')[1] ?? '')).toMatchObject({ key: 'messages' });
    expect(await budget.take([MESSAGES])).toMatchObject({ key: 'messages' });
  });

  it('counts what lies in the future as now, after the clock was set back', async () => {
    const path = join(folder, 'back');
    const hour = Date.now() + 3_600_000;
    writeFileSync(path, JSON.stringify({ messages: [hour, hour, hour], other: 'no list' }));
    const full = await fileBudget(path).take([MESSAGES]);
    expect(full).toMatchObject({ key: 'messages' });
    expect(full?.waitMs).toBeLessThanOrEqual(60_000);
  });
});

describe.skipIf(redis === null)('a budget on a Redis server', () => {
  it('has room again when the window of a process that was killed is over', async () => {
    const claim = { ...MESSAGES, windowMs: 400 };
    files++;
    const taker = run(`
      const closing = [];
      const budget = ${inRedis()};
      for (let at = 0; at < 3; at++) await budget.take([${JSON.stringify(claim)}]);
      console.log('taken');
      setInterval(() => {}, 1000);`);
    await once(taker.stdout, 'data');
    taker.kill('SIGKILL');
    const client = await RedisClient.connect(redis?.port ?? 0);
    const budget = redisBudget((...call) => client.evaluate(...call), { name: `${files}` });
    for (let full = await budget.take([claim]); full !== null; full = await budget.take([claim])) {
      expect(full.waitMs).toBeLessThanOrEqual(400);
      await new Promise((resolve) => setTimeout(resolve, full?.waitMs));
    }
    client.close();
  });

  it('counts what lies in the future as now, after the clock of the server was set back', async () => {
    const client = await RedisClient.connect(redis?.port ?? 0);
    const budget = redisBudget((...call) => client.evaluate(...call), { name: 'back' });
    await client.evaluate(
      `for n = 1, 3 do redis.call('ZADD', KEYS[1], 9e15, 'old:' .. n) end return { 0, '0' }`,
      ['{poolctl:ib:back}:messages'],
      [],
    );
    const full = await budget.take([MESSAGES]);
    expect(full).toMatchObject({ key: 'messages' });
    expect(full?.waitMs).toBeLessThanOrEqual(60_000);
    client.close();
  });
});
