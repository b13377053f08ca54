import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bin, poolctl, type Running, start } from '../helpers/bin.js';
import { describeWithPgBouncer, type PgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { newDatabase, type OwnDatabase, postgres } from '../helpers/postgres.js';
import { askAs } from '../pgbouncer/started.js';

describeWithPgBouncer('poolctl pgbouncer pause', () => {
  let own: OwnDatabase;
  let pgbouncer: PgBouncer;
  beforeAll(async () => {
    own = await newDatabase();
    pgbouncer = await startPgBouncer({ default_pool_size: 5 });
  });
  afterAll(() => pgbouncer?.stop());

  const login = () => ({ user: postgres?.user ?? '', password: postgres?.password ?? '' });
  const options = () => ({ env: { PGPASSWORD: login().password } });
  const at = () => ['--at', `pgbouncer://${login().user}@127.0.0.1:${pgbouncer.port}/`, '--yes'];
  const begin = (...argv: readonly string[]): Running =>
    start(bin, ['pgbouncer', 'pause', ...argv, ...at()], options());

  /** Resolves when a query gets through, which it does not while the pooler is paused. */
  const goesOn = async (): Promise<void> => {
    const rows = await askAs(pgbouncer.port, { ...login(), database: own.name }, 'select 1 as one');
    expect(rows).toEqual([{ one: 1 }]);
  };
  /** A transaction that stands open, until it is ended. */
  const blocked = async (): Promise<pg.Client> => {
    const client = new pg.Client({
      ...{ host: '127.0.0.1', port: pgbouncer.port, ...login(), database: own.name },
      application_name: 'the-blocker',
    });
    await client.connect();
    await client.query('begin; select 1');
    return client;
  };
  const paused = async (): Promise<boolean> => {
    const rows = await askAs(pgbouncer.port, { ...login(), database: 'pgbouncer' }, 'SHOW DATABASES');
    return rows.find(({ name }) => name === own.name)?.paused === 1;
  };

  /**
   * Resolves when nobody but this test is on the console. The guard of a pause stays for a moment after poolctl was
   * killed, since the command to pause may still be on its way; it would resume what the next test pauses.
   */
  const guardGone = async (): Promise<void> => {
    for (let others = 1; others > 0; ) {
      const rows = await askAs(pgbouncer.port, { ...login(), database: 'pgbouncer' }, 'SHOW CLIENTS');
      others = rows.filter(({ database }) => database === 'pgbouncer').length - 1;
    }
  };

  it.each([[[]], [['DATABASE']]])('stays paused for --hold, then resumes: %j', async (scope) => {
    await goesOn();
    const names = scope.map(() => own.name);
    const running = begin(...names, '--hold', '300ms');
    await running.seen('is paused');
    await goesOn();
    const { code, stdout } = await running.finished;
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('it was resumed') });
    expect(await paused()).toBe(false);
  });

  it.each([[[]], [['DATABASE']]])(
    'gives up at a time-out, tells who blocks, and all goes on: %j',
    async (scope) => {
      const blocker = await blocked();
      const done = await begin(...scope.map(() => own.name), '--timeout', '500ms').finished;
      expect(done).toMatchObject({ code: 1 });
      expect(done.stdout).toMatch(/NOT PAUSED: given up after .*\n1 server is in use:/);
      expect(done.stdout).toContain('the-blocker');
      await goesOn();
      await blocker.query('commit');
      await blocker.end();
    },
  );

  it.each([[[]], [['DATABASE']]])('goes on after Ctrl-C, paused and not paused yet: %j', async (scope) => {
    const names = scope.map(() => own.name);
    const held = begin(...names);
    await held.seen('is paused');
    held.child.kill('SIGINT');
    expect(await held.finished).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('as this was interrupted'),
    });
    await goesOn();
    const blocker = await blocked();
    const waiting = begin(...names);
    await waiting.seen('waiting until');
    waiting.child.kill('SIGINT');
    expect(await waiting.finished).toMatchObject({
      code: 130,
      stdout: expect.stringContaining('the-blocker'),
    });
    await goesOn();
    await blocker.query('commit');
    await blocker.end();
  });

  it.each([[[]], [['DATABASE']]])(
    'goes on after poolctl was killed, paused and not paused yet: %j',
    async (scope) => {
      const names = scope.map(() => own.name);
      const held = begin(...names);
      await held.seen('is paused');
      held.child.kill('SIGKILL');
      expect(await held.finished).toMatchObject({ signal: 'SIGKILL' });
      await guardGone();
      await goesOn();
      const blocker = await blocked();
      const waiting = begin(...names);
      await waiting.seen('waiting until');
      waiting.child.kill('SIGKILL');
      await waiting.finished;
      await guardGone();
      await goesOn();
      await blocker.query('commit');
      await blocker.end();
    },
  );

  it("leaves somebody else's pause alone", async () => {
    // A database that only `*` names is not listed while nobody is connected to it.
    const client = new pg.Client({ host: '127.0.0.1', port: pgbouncer.port, ...login(), database: own.name });
    await client.connect();
    await askAs(pgbouncer.port, { ...login(), database: 'pgbouncer' }, `PAUSE ${own.name}`);
    const done = await begin(own.name).finished;
    expect(done).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('paused already, by somebody else'),
    });
    expect(await paused()).toBe(true);
    const resumed = await poolctl(['pgbouncer', 'resume', own.name, ...at()], options());
    expect(resumed).toMatchObject({ code: 0, stdout: `'${own.name}' goes on\n` });
    await client.end();
    await goesOn();
  });

  it('kill drops the connections, and lets new ones in', async () => {
    const blocker = await blocked();
    blocker.on('error', () => {});
    const done = await poolctl(['pgbouncer', 'kill', own.name, ...at()], options());
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('were dropped') });
    await expect(blocker.query('select 1')).rejects.toThrow();
    await goesOn();
  });

  it('a pooler that dies meanwhile is told, and nothing stays behind', async () => {
    const other = await startPgBouncer();
    const argv = [
      'pgbouncer',
      'pause',
      '--at',
      `pgbouncer://${login().user}@127.0.0.1:${other.port}/`,
      '--yes',
    ];
    const client = new pg.Client({ host: '127.0.0.1', port: other.port, ...login(), database: own.name });
    client.on('error', () => {});
    await client.connect();
    await client.query('begin');
    const running = start(bin, argv, options());
    await running.seen('waiting until');
    const place = ['--at', `pgbouncer://${login().user}@127.0.0.1:${other.port}/`, '--yes'];
    const ended = await poolctl(['pgbouncer', 'shutdown', ...place], options());
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('has ended') });
    const done = await running.finished;
    await other.stop();
    expect(done).toMatchObject({ code: 3, stderr: expect.stringMatching(/went away during PAUSE/) });
  });
});
