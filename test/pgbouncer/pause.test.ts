import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/pgbouncer/console.js';
import { type Guard, type PauseParts, type PauseRequest, pauseGuarded } from '../../src/pgbouncer/pause.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

const LOST = Object.assign(new Error('the connection is gone'), { lost: true });
const REFUSED = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', lost: true });

interface Script {
  /** Answers of the console by command; what is not listed is answered with no rows. */
  readonly answers?: Readonly<Record<string, Row[] | Error | (() => Promise<Row[]>)>>;
  /** What becomes of PAUSE: answered by default. */
  readonly pause?: 'answered' | 'never' | Error;
}

/** A console and a guard that note what happens to them. */
function console_({ answers = {}, pause = 'answered' }: Script = {}) {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const log: string[] = [];
  let loseGuard = (): void => {};
  const guard: Guard = {
    lost: new Promise((resolve) => {
      loseGuard = resolve;
    }),
    release: async () => void log.push('release'),
    leaveToIt: () => void log.push('leave to it'),
  };
  const parts: PauseParts = {
    clock,
    stop: stop.signal,
    isLost: (error) => error instanceof Error && 'lost' in error,
    arm: async (resume) => {
      log.push(`arm ${resume}`);
      return guard;
    },
    async send(command, signal) {
      log.push(`send ${command}`);
      if (command === 'SHOW VERSION' || pause === 'answered') return [];
      if (pause !== 'never') throw pause;
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(LOST)));
    },
    async ask(command) {
      log.push(`ask ${command}`);
      const answer = answers[command] ?? [];
      if (answer instanceof Error) throw answer;
      return typeof answer === 'function' ? answer() : answer;
    },
    onSent: () => void log.push('sent'),
    onReached: (waitedMs) => void log.push(`reached after ${waitedMs}`),
  };
  const run = (request: Partial<PauseRequest> = {}) =>
    pauseGuarded({ verb: 'PAUSE', database: 'shop', timeoutMs: 1000, holdMs: 300, ...request }, parts);
  return { clock, stop, log, run, loseGuard: () => loseGuard() };
}

const commands = (log: readonly string[]) => log.filter((line) => !/SHOW/.test(line));

describe('a guarded pause', () => {
  it('arms the guard before it pauses, holds, resumes, and releases the guard last', async () => {
    const { clock, log, run } = console_();
    const result = run();
    await clock.advance(299);
    expect(commands(log)).toEqual(['arm RESUME shop', 'send PAUSE shop', 'sent', 'reached after 0']);
    await clock.advance(1);
    expect(await result).toEqual({
      ...{ verb: 'PAUSE', database: 'shop', end: 'held', waitedMs: 0, heldMs: 300 },
      ...{ resumedBefore: false, blockers: [] },
    });
    expect(commands(log).slice(4)).toEqual(['ask RESUME shop', 'release']);
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  it('of all of the pooler names no database', async () => {
    const { clock, log, run } = console_();
    const result = run({ verb: 'KILL', database: null });
    await clock.advance(300);
    expect(await result).toMatchObject({ verb: 'KILL', database: null, end: 'held' });
    expect(commands(log)).toEqual(
      expect.arrayContaining(['arm RESUME', 'send KILL', 'ask RESUME', 'release']),
    );
  });

  it('that is interrupted ends at once, and is resumed', async () => {
    const { clock, stop, log, run } = console_();
    const result = run();
    await clock.advance(100);
    stop.abort();
    expect(await result).toMatchObject({ end: 'interrupted', heldMs: 100 });
    expect(commands(log).at(-2)).toBe('ask RESUME shop');
    expect(clock.timers.foreground).toBe(0);
  });

  const servers: Row[] = [
    { database: 'shop', user: 'app', state: 'active', link: 'c1', remote_pid: 71 },
    { database: 'other', user: 'app', state: 'active', link: 'c2', remote_pid: 72 },
  ];
  const clients: Row[] = [{ ptr: 'c1', application_name: 'api', addr: '10.0.0.7', port: 5 }];

  it('that takes too long gives up, and says who blocks', async () => {
    const { clock, log, run } = console_({
      pause: 'never',
      answers: { 'SHOW SERVERS': servers, 'SHOW CLIENTS': clients },
    });
    const result = run();
    await clock.advance(999);
    expect(log).not.toContain('ask SHOW SERVERS');
    await clock.advance(1);
    expect(await result).toMatchObject({
      ...{ end: 'timeout', waitedMs: 1000, heldMs: null, resumedBefore: false },
      blockers: [{ database: 'shop', backendPid: 71, client: { application: 'api', address: '10.0.0.7:5' } }],
    });
    expect(commands(log).slice(-2)).toEqual(['ask RESUME shop', 'release']);
  });

  it('resumes also where nobody tells who blocks', async () => {
    const { clock, run } = console_({ pause: 'never', answers: { 'SHOW SERVERS': LOST } });
    const result = run();
    await clock.advance(1000);
    expect(await result).toMatchObject({ end: 'timeout', blockers: [] });
  });

  it('that is interrupted before it is reached was stopped', async () => {
    const { clock, stop, run } = console_({ pause: 'never' });
    const result = run();
    await clock.advance(10);
    stop.abort();
    expect(await result).toMatchObject({ end: 'stopped', waitedMs: 10, heldMs: null });
    expect(clock.timers.foreground).toBe(0);
  });

  it('is not begun where it is interrupted while it gets ready', async () => {
    const { stop, log, run } = console_({
      answers: {
        'SHOW DATABASES': async () => {
          stop.abort(new Error('Ctrl-C'));
          return [];
        },
      },
    });
    await expect(run()).rejects.toThrow('Ctrl-C');
    expect(commands(log)).toEqual([]);
  });

  it('that the console refuses has paused nothing: nothing is resumed', async () => {
    const { log, run } = console_({ pause: new Error('no such database') });
    await expect(run()).rejects.toThrow('no such database');
    expect(commands(log)).toEqual(['arm RESUME shop', 'send PAUSE shop', 'sent', 'release']);
  });

  it('whose connection is lost may have paused: it is resumed', async () => {
    const { clock, log, run } = console_({ pause: LOST });
    const result = run();
    result.catch(() => {});
    await clock.settle();
    await expect(result).rejects.toBe(LOST);
    expect(commands(log).slice(-2)).toEqual(['ask RESUME shop', 'release']);
    expect(log).not.toContain('ask SHOW SERVERS');
  });

  it.each(['answered', 'never'] as const)('that loses its guard resumes at once: pause %s', async (pause) => {
    const { clock, log, run, loseGuard } = console_({ pause });
    const result = run();
    result.catch(() => {});
    await clock.advance(50);
    loseGuard();
    await expect(result).rejects.toMatchObject({ code: 'ERR_PGBOUNCER_GONE' });
    expect(commands(log).slice(-2)).toEqual(['ask RESUME shop', 'release']);
    expect(clock.timers.foreground).toBe(0);
  });
});

describe('a pooler that is paused already', () => {
  const paused = (value: unknown) => [
    { name: 'other', paused: 1 },
    { name: 'shop', paused: value },
  ];
  const state = (value: string) => [
    { key: 'active', value: 'yes' },
    { key: 'paused', value },
  ];

  it.each<[string, Script['answers'], string | null, boolean]>([
    ['the database', { 'SHOW DATABASES': paused(1) }, 'shop', true],
    ['another database', { 'SHOW DATABASES': paused(0) }, 'shop', false],
    ['a database that it does not list', { 'SHOW DATABASES': [] }, 'shop', false],
    ['all', { 'SHOW DATABASES': paused(0), 'SHOW STATE': state('yes') }, 'shop', true],
    ['all, and all is asked for', { 'SHOW STATE': state('yes') }, null, true],
    ['nothing', { 'SHOW STATE': state('no') }, null, false],
    ['nobody knows: before 1.19', { 'SHOW STATE': new Error('unsupported') }, null, false],
  ])('%s', async (_, answers, database, refused) => {
    const { clock, log, run } = console_({ answers: answers ?? {} });
    const result = run({ database });
    result.catch(() => {});
    await clock.advance(300);
    if (!refused) return expect(await result).toMatchObject({ end: 'held' });
    await expect(result).rejects.toMatchObject({ code: 'ERR_PGBOUNCER_PAUSED' });
    expect(commands(log)).toEqual([]);
  });

  it('is named as what is paused: the database only if it alone is', async () => {
    const said = (answers: Script['answers'], database: string | null) =>
      console_({ answers: answers ?? {} })
        .run({ database })
        .catch(({ message, hint }) => ({ message, hint }));
    expect(await said({ 'SHOW DATABASES': paused(1) }, 'shop')).toEqual({
      message: expect.stringContaining("'shop'"),
      hint: expect.stringContaining('database'),
    });
    const all = await said({ 'SHOW STATE': state('yes') }, 'shop');
    expect(all).toEqual({ message: expect.stringContaining('pooler'), hint: expect.any(String) });
    expect(JSON.stringify(all)).not.toMatch(/shop|of the database/);
    expect(await said({ 'SHOW STATE': state('yes') }, null)).toEqual(all);
  });

  it('cannot be told where the connection is lost meanwhile', async () => {
    await expect(console_({ answers: { 'SHOW STATE': LOST } }).run()).rejects.toBe(LOST);
  });
});

describe('resuming', () => {
  /** RESUME fails with these, one after another, and then succeeds. */
  const failing = (...errors: Error[]) =>
    console_({
      answers: {
        'RESUME shop': async () => {
          const error = errors.shift();
          if (error !== undefined) throw error;
          return [];
        },
      },
    });
  const resumes = (log: readonly string[]) => log.filter((line) => line === 'ask RESUME shop').length;

  it.each<[string, Error, boolean]>([
    ['somebody else has resumed it', new Error('database shop is not paused'), true],
    ['the database is gone', new Error('no such database'), true],
    ['it is shutting down', new Error('shutting down'), true],
    ['nobody listens any more', REFUSED, true],
  ])('ends where %s', async (_, error, resumedBefore) => {
    const { clock, log, run } = failing(error);
    const result = run();
    await clock.advance(300);
    expect(await result).toMatchObject({ end: 'held', resumedBefore });
    expect(resumes(log)).toBe(1);
  });

  it('is tried five times, 300 ms apart, over lost connections and slow answers', async () => {
    const late = Object.assign(new Error('late'), { name: 'AbortError' });
    const { clock, log, run } = failing(LOST, late, LOST, late);
    const result = run();
    await clock.advance(300);
    expect(resumes(log)).toBe(1);
    await clock.advance(4 * 300);
    expect(await result).toMatchObject({ end: 'held', resumedBefore: false });
    expect(resumes(log)).toBe(5);
    expect(log).not.toContain('leave to it');
  });

  it('is left to the guard after that, with the last reason', async () => {
    const { clock, log, run } = failing(LOST, LOST, LOST, LOST, LOST, LOST);
    const result = run();
    result.catch(() => {});
    await clock.advance(10_000);
    await expect(result).rejects.toMatchObject({
      code: 'ERR_PGBOUNCER_STILL_PAUSED',
      message: expect.stringContaining(LOST.message),
    });
    expect(resumes(log)).toBe(5);
    expect(log.at(-1)).toBe('leave to it');
  });

  it('is left to the guard at once where the console refuses it', async () => {
    const { clock, log, run } = failing(new Error('not allowed'));
    const result = run();
    result.catch(() => {});
    await clock.advance(300);
    await expect(result).rejects.toMatchObject({ code: 'ERR_PGBOUNCER_STILL_PAUSED' });
    expect(resumes(log)).toBe(1);
  });
});
