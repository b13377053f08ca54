import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import type { Diagnosis } from '../../src/diagnosis/diagnose.js';
import type { DoctorResult } from '../../src/doctor/types.js';
import type { HealthReport } from '../../src/health/check.js';
import { bin, root, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';
import { testIo } from '../helpers/io.js';
import {
  ask,
  connectAdmin,
  describeWithPostgres,
  newDatabase,
  type OwnDatabase,
} from '../helpers/postgres.js';

const APP = join(root, 'test/diagnosis/incidents-app.mjs');

describeWithPostgres('top, health and doctor, of a real application in an incident', () => {
  let own: OwnDatabase;
  let folder: string;
  let end: () => Promise<unknown>;

  beforeEach(async () => {
    own = await newDatabase();
    folder = await mkdtemp(join(tmpdir(), 'poolctl-incident-'));
    const admin = await connectAdmin(own.name);
    await admin.query('create table accounts (id int primary key, balance int); create table log (x int)');
    await admin.query('insert into accounts select i, 0 from generate_series(1, 9) i');
    await admin.end();
  });
  afterEach(async () => {
    await end();
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${own.name}'`);
    await rm(folder, { recursive: true, force: true });
  });

  const startIn = (state: string): void => {
    const argv = [
      'run',
      '--name',
      'shop',
      '--leak-after',
      '1s',
      '--',
      process.execPath,
      APP,
      own.url(),
      state,
    ];
    const app = start(bin, argv, { env: { XDG_RUNTIME_DIR: folder } });
    end = () => {
      app.child.kill('SIGTERM');
      return app.finished;
    };
  };
  /** What a command prints as JSON about the application and its server; null where it prints nothing. */
  const json = async <T>(...argv: string[]): Promise<T | null> => {
    const io = testIo({ cwd: root, env: { XDG_RUNTIME_DIR: folder } });
    const user = { ...io.user, uid: process.getuid?.() ?? null };
    await runMain({ commands, version: () => '1' }, [...argv, 'pool:', own.url()], { ...io, user });
    return io.out() === '' ? null : (JSON.parse(io.out()) as T);
  };
  const top = async (): Promise<Diagnosis | null> =>
    (await json<{ diagnosis: Diagnosis }>('top', '--once', '--json', '--interval', '250ms'))?.diagnosis ??
    null;

  it.each([
    ['leftOpen', 'transaction-left-open', /incidents-app\.mjs:\d+/],
    ['poisoned', 'poisoned-connection', /inside an open transaction/],
    ['listen', 'listen-takes-a-place', /subscription \(LISTEN jobs\)/],
    ['nested', 'nested-acquire', /wait for a second one/],
    ['ended', 'pool-ended-too-early', /closed, and still asked/],
    ['clientTimeout', 'query-left-by-client-timeout', /still run on the server/],
    ['poolPerRequest', 'pool-per-request', /\d+ pools .* made at/],
  ])('%s: all name %s', async (state, cause, words) => {
    startIn(state);
    let last: Diagnosis | null = null;
    await eventually(async () => {
      last = await top();
      return last?.cause === cause;
    }).catch(() => expect(last).toMatchObject({ cause }));
    expect(last).toMatchObject({ cause, words: expect.stringMatching(words) as string });
    const health = await json<HealthReport>('health', '--format', 'json');
    expect(health?.pools.map((one) => one.cause)).toContain(cause);
    expect(health?.status).not.toBe('healthy');
    const doctor = await json<DoctorResult>('doctor', '--only', 'cause-now', '--format', 'json');
    expect(doctor?.results.map(({ summary }) => summary.split(':')[0])).toContain(cause);
  });

  it.each(['burst', 'full'])('%s is a pool that is used well, and nothing is reported', async (state) => {
    startIn(state);
    // Until the application publishes, the server alone is diagnosed.
    await eventually(async () => {
      const seen = await json<HealthReport>('health', '--format', 'json');
      return (
        seen?.pools.every(({ reasons }) => !reasons.some((each) => /no application/.test(each))) === true
      );
    });
    expect(await top()).toMatchObject({ severity: 'good', cause: null });
    const health = await json<HealthReport>('health', '--format', 'json');
    expect(health?.pools.flatMap((one) => one.reasons)).toEqual([]);
    const doctor = await json<DoctorResult>('doctor', '--only', 'cause-now,pool-room', '--format', 'json');
    expect(doctor?.results.map(({ status }) => status)).toEqual(['pass', 'pass']);
  });
});
