import { fork } from 'node:child_process';
import { type EventEmitter, once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ignore } from '../../src/base/promises.js';
import type { DatabaseOptions } from '../../src/db/connection.js';
import { createDatabase, type Database, type Session } from '../../src/db/database.js';
import { dist } from '../helpers/bin.js';
import { newGate } from '../helpers/pools.js';
import { engineOption } from '../helpers/sqlite-engine.js';

let folder: string;
let opened: Database[];

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'poolctl-sqlite-')));
  opened = [];
});
afterEach(async () => {
  for (const db of opened) await db.close({ graceMs: 0 });
  await rm(folder, { recursive: true });
});

function database(url: string, options?: DatabaseOptions): Database {
  const db = createDatabase(url, { ...engineOption(), ...options });
  opened.push(db);
  return db;
}

const at = (name: string): string => join(folder, name);

/** Makes a file with a table of one row, and nothing open. */
async function makeFile(name: string, query = ''): Promise<string> {
  await using db = createDatabase(`sqlite:${encodeURIComponent(at(name))}${query}`, engineOption());
  await db.withSession((session) => session.exec('create table t (n integer); insert into t values (0)'));
  return at(name);
}

async function firstValue(session: Session, sql: string): Promise<unknown> {
  const { rows } = await session.query(sql);
  return Object.values(rows[0] ?? {})[0];
}

describe('the URL of a SQLite database', () => {
  it.each([
    ['an absolute path', (name: string) => `sqlite:${at(name)}`],
    ['an absolute path behind three slashes', (name: string) => `sqlite://${at(name)}`],
    ['a path from the current folder', (name: string) => `sqlite:${relative(process.cwd(), at(name))}`],
    ['a percent-encoded path', (name: string) => `sqlite:${encodeURIComponent(at(name))}`],
    ['a scheme in capitals', (name: string) => `SQLite:${at(name)}`],
  ])('takes %s', async (_, urlOf) => {
    const db = database(urlOf('app.db'));
    await db.withSession((session) => session.exec('create table t (n integer)'));
    expect((await stat(at('app.db'))).isFile()).toBe(true);
    expect(db).toMatchObject({ dialect: 'sqlite', name: `sqlite:${at('app.db')}` });
  });

  it.each([
    ['spaces', 'my data.db', 'my data.db'],
    ['encoded spaces', 'my%20data.db', 'my data.db'],
    ['letters of all alphabets', 'ünï🦀.db', 'ünï🦀.db'],
    ['an encoded question mark', 'a%3Fb.db', 'a?b.db'],
    ['a hash', 'a#b.db', 'a#b.db'],
    ['a plus, which is no space', 'a+b.db', 'a+b.db'],
    ['a line break', 'a\nb.db', 'a\nb.db'],
    ['a file: of the name of what SQLite takes for a URI', 'file:x.db', 'file:x.db'],
  ])('takes %s in the name', async (_, inUrl, name) => {
    const db = database(`sqlite:${folder}/${inUrl}`);
    await db.withSession((session) => session.exec('create table t (n integer)'));
    expect((await readdir(folder)).filter((each) => !/-(wal|shm)$/.test(each))).toEqual([name]);
  });

  it.each<[what: string, url: string, complaint: RegExp]>([
    ['an unknown parameter', 'sqlite:a.db?busyTimeot=5s', /unknown parameter 'busyTimeot'; there are mode, /],
    ['an unknown mode', 'sqlite:a.db?mode=rx', /mode is worker, inline, ro, rw or rwc, got 'rx'/],
    [
      'an unknown engine',
      'sqlite:a.db?engine=libsql',
      /engine is better-sqlite3 or node:sqlite, got 'libsql'/,
    ],
    ['an unknown journal', 'sqlite:a.db?journal=off', /journal is wal or keep, got 'off'/],
    ['a busy timeout without a unit', 'sqlite:a.db?busyTimeout=5', /busyTimeout: '5' has no unit/],
    ['a host', 'sqlite://data/app.db', /sqlite has no hosts: write sqlite:data\/app.db or sqlite:\/\/\/data/],
    ['no file', 'sqlite:', /it names no file/],
    ['no file after slashes', 'sqlite:///', /it names no file/],
    ['a % that begins nothing', 'sqlite:100%.db', /a % that begins no percent-encoding; write %25/],
    ['a zero byte', 'sqlite:a%00.db', /a zero byte/],
    ['nothing', '', /it is empty/],
    ['a path', './app.db', /it has no scheme; for a SQLite file write sqlite:\.\/app\.db/],
    ['a path of Windows', 'C:\\app.db', /it has no scheme/],
    ['another scheme', 'oracle://scott@db/x', /the scheme 'oracle' is not known; there is: .*sqlite/],
    ['a read-only database in memory', 'sqlite::memory:?mode=ro', /:memory: cannot be readOnly/],
  ])('refuses %s', (_, url, complaint) => {
    expect(() => createDatabase(url)).toThrow(complaint);
    expect(() => createDatabase(url)).toThrow(expect.objectContaining({ code: 'ERR_DB_OPTION' }));
  });

  it('refuses what JavaScript passes of an unset variable, and numbers that are text', () => {
    const unset = undefined as unknown as string;
    expect(() => createDatabase(unset)).toThrow(expect.objectContaining({ code: 'ERR_DB_OPTION' }));
    expect(() => createDatabase(unset)).toThrow(/the URL is no text; is a variable not set\?/);
    const size = '5' as unknown as number;
    expect(() => createDatabase('sqlite:app.db', { size })).toThrow(/size must be .*, got the text '5'/);
  });

  it('shows no password of a URL that it refuses', () => {
    expect(() => createDatabase('oracle://scott:tiger@db/x?password=lion')).toThrow(/^(?!.*(tiger|lion))/);
  });

  it('is refused with everything that is wrong with it and the options', () => {
    const options = { size: -1, busyTimeoutMs: 1.5, workerHeapMb: 1 };
    expect(() => createDatabase('sqlite:?x=1', options)).toThrow(
      /unknown parameter 'x'.*busyTimeoutMs must be.*workerHeapMb must be.*size must be/,
    );
  });

  it('is refused where it contradicts the options', () => {
    expect(() => createDatabase('sqlite:a.db?mode=ro', { readOnly: false })).toThrow(
      /readOnly is true in the URL, but false in the options/,
    );
    expect(database('sqlite:a.db?mode=ro', { readOnly: true }).dialect).toBe('sqlite');
  });

  it('opens nothing by itself', async () => {
    database(`sqlite:${at('app.db')}`);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a database in memory', () => {
  it('is one connection, whatever comes', async () => {
    const db = database('sqlite::memory:');
    expect(db.pool.settings).toMatchObject({ size: 1, maxOverflow: 0, recycleMs: null, maxIdleMs: null });
    await db.withSession((session) => session.exec('create table t (n integer); insert into t values (7)'));
    const counts = await Promise.all(
      Array.from({ length: 5 }, () => db.withSession((session) => firstValue(session, 'select n from t'))),
    );
    expect(counts).toEqual([7, 7, 7, 7, 7]);
    expect(db.pool.snapshot().counters.created).toBe(1);
  });

  it.each([
    [{ size: 2 }, /size must be 1, got 2/],
    [{ size: 0 }, /size must be 1, got 0/],
    [{ maxOverflow: -1 }, /maxOverflow must be 0, got -1/],
    [{ recycleMs: 1000 }, /recycleMs must be null, got 1000/],
    [{ maxIdleMs: 1000 }, /maxIdleMs must be null, got 1000/],
  ])('refuses %j', (options, complaint) => {
    expect(() => createDatabase('sqlite::memory:', options)).toThrow(complaint);
  });
});

describe('a SQLite file', () => {
  it('is in WAL mode with a busy timeout, unless it is to be kept as it is', async () => {
    const file = await makeFile('kept.db', '?journal=keep');
    const journalOf = (query: string) =>
      database(`sqlite:${file}${query}`).withSession((session) => firstValue(session, 'pragma journal_mode'));
    expect(await journalOf('?journal=keep')).toBe('delete');
    expect(await journalOf('?mode=ro')).toBe('delete');
    expect(await journalOf('')).toBe('wal');
    expect(await journalOf('?journal=keep')).toBe('wal');
  });

  it.each([
    ['', {}, 5000],
    ['?busyTimeout=1m30s', {}, 90_000],
    ['?busyTimeout=0s', {}, 0],
    ['', { busyTimeoutMs: 250 }, 250],
  ])('waits for locks as told: %j, %j', async (query, options, expected) => {
    const db = database(`sqlite:${at('a.db')}${query}`, options);
    expect(await db.withSession((session) => firstValue(session, 'pragma busy_timeout'))).toBe(expected);
  });

  it('has the sizes and times of the sqlite profile', () => {
    expect(database(`sqlite:${at('a.db')}`).pool.settings).toMatchObject({
      ...{ size: 10, maxOverflow: 20, timeoutMs: 10_000, recycleMs: 600_000, prePing: true },
    });
  });

  it('opened for reading leaves nothing beside the file, and the file as it was', async () => {
    const file = await makeFile('app.db');
    const before = await stat(file);
    await using db = createDatabase(`sqlite:${file}?mode=ro`, { ...engineOption(), size: 2 });
    await Promise.all([1, 2].map(() => db.withSession((session) => session.query('select * from t'))));
    await db.close();
    expect(await readdir(folder)).toEqual(['app.db']);
    expect((await stat(file)).mtimeMs).toBe(before.mtimeMs);
  });

  it('binds booleans, dates and named parameters as SQLite understands them', async () => {
    await using session = await database('sqlite::memory:').getDb();
    const { rows } = await session.query(
      'select :yes as yes, @no as no, unixepoch(:day) as day, typeof($whole) as whole, typeof(:big) as big',
      { yes: true, no: false, day: new Date(86_400_000), whole: 3, big: 3n },
    );
    expect(rows).toEqual([{ yes: 1, no: 0, day: 86400, whole: 'real', big: 'integer' }]);
  });

  it.each([
    [[2n ** 63n], /parameter 1 does not fit into 64 bits/],
    [[new Date(Number.NaN)], /parameter 1 is an invalid Date/],
    [[[1, 2]], /parameter 1 is an array; pass JSON.stringify/],
    [[Symbol('x')], /parameter 1 is a symbol/],
    [{ a: undefined }, /parameter 'a' is undefined; pass null/],
  ])('refuses to bind %o', async (params, complaint) => {
    await using session = await database('sqlite::memory:').getDb();
    await expect(session.query('select ?', params)).rejects.toThrow(complaint);
  });

  it('tells the key of what was inserted, and only then', async () => {
    await using session = await database('sqlite::memory:').getDb();
    await session.exec('create table t (id integer primary key, n integer)');
    const keys = [
      (await session.query('insert into t values (41, 1)')).lastInsertRowid,
      (await session.query('insert into t (n) values (2)')).lastInsertRowid,
      (await session.query('update t set n = 3')).lastInsertRowid,
      (await session.query('insert or ignore into t values (41, 1)')).lastInsertRowid,
      (await session.query('insert into t values (9223372036854775807, 1)')).lastInsertRowid,
    ];
    expect(keys).toEqual([41, 42, null, null, 9223372036854775807n]);
  });

  it('ends a connection whose result does not fit into the heap of its thread, and no other', async () => {
    const db = database(`sqlite:${at('a.db')}`, { workerHeapMb: 16 });
    const session = await db.getDb();
    const tooMuch = session.query(
      'with recursive c(n) as (select 1 union all select n + 1 from c where n < 200000) select n, n as m from c',
    );
    await expect(tooMuch).rejects.toMatchObject({
      code: 'ERR_CONNECTION_LOST',
      hint: expect.stringContaining('workerHeapMb'),
    });
    await session.close();
    expect(await db.withSession((next) => firstValue(next, 'select 1'))).toBe(1);
  });
});

describe('writers of one SQLite file', () => {
  /** In a process or thread of its own: `rounds` transactions that each read, then write. Reports its error code. */
  const WRITER = `
    import { createDatabase } from ${JSON.stringify(`file://${dist}/src/index.js`)};
    import { parentPort, workerData } from 'node:worker_threads';
    const [url, rounds] = workerData ?? process.argv.slice(2);
    const tell = (message) => parentPort ? parentPort.postMessage(message) : process.send(message);
    const db = createDatabase(url, { ...${JSON.stringify(engineOption())}, size: 2, maxOverflow: 0 });
    const increment = () => db.withSession((session) => session.transaction(async (inner) => {
      const { rows } = await inner.query('select n from t');
      await inner.query('update t set n = ?', [BigInt(rows[0].n) + 1n]);
    }));
    (parentPort ?? process).once('message', async () => {
      const done = await Promise.allSettled(Array.from({ length: Number(rounds) }, increment));
      await db.close();
      tell(done.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.code));
      if (!parentPort) process.disconnect();
    });
    await db.withSession((session) => session.query('select 1'));
    tell('ready');
  `;
  const ROUNDS = 100;

  interface Writer {
    /** Its next message. */
    told(): Promise<unknown>;
    go(): void;
    readonly ended: Promise<unknown>;
  }

  async function startProcess(url: string): Promise<Writer> {
    const child = fork(await writerScript(), [url, String(ROUNDS)], { execArgv: [] });
    return writerOf(child, () => void child.send('go'));
  }

  async function startThread(url: string): Promise<Writer> {
    const worker = new Worker(await writerScript(), { workerData: [url, ROUNDS], execArgv: [] });
    return writerOf(worker, () => worker.postMessage('go'));
  }

  async function writerScript(): Promise<string> {
    await writeFile(at('writer.mjs'), WRITER);
    return at('writer.mjs');
  }

  function writerOf(source: EventEmitter, go: () => void): Writer {
    const ended = once(source, 'exit');
    const diedEarly = ended.then(() => Promise.reject(new Error('the writer ended without a word')));
    diedEarly.catch(ignore);
    return {
      told: async () => {
        const [message] = await Promise.race([once(source, 'message'), diedEarly]);
        return message;
      },
      go,
      ended,
    };
  }

  it.each([
    ['two processes', startProcess],
    ['two threads', startThread],
  ])(
    'in %s never meet SQLITE_BUSY and lose nothing, since transactions begin immediate',
    async (_, start) => {
      const url = `sqlite:${await makeFile('app.db')}`;
      const writers = await Promise.all([start(url), start(url)]);
      expect(await Promise.all(writers.map((writer) => writer.told()))).toEqual(['ready', 'ready']);
      const told = writers.map((writer) => writer.told());
      for (const writer of writers) writer.go();
      expect(await Promise.all(told)).toEqual([[], []]);
      await Promise.all(writers.map(({ ended }) => ended));
      const written = await database(url).withSession((session) => firstValue(session, 'select n from t'));
      expect(written).toBe(2 * ROUNDS);
    },
  );

  it('that read before they write take turns', async () => {
    const db = database(`sqlite:${await makeFile('app.db')}`, { size: 4 });
    const increment = () =>
      db.withSession((session) =>
        session.transaction(async (inner) => {
          const value = await firstValue(inner, 'select n from t');
          await inner.query('update t set n = ?', [Number(value) + 1]);
        }),
      );
    await Promise.all(Array.from({ length: 40 }, increment));
    expect(await db.withSession((session) => firstValue(session, 'select n from t'))).toBe(40);
  });

  it('that begin deferred fail at once when another has written since they read, with a hint', async () => {
    const db = database(`sqlite:${await makeFile('app.db')}`);
    await using session = await db.getDb();
    const late = session.transaction(
      async (inner) => {
        await inner.query('select n from t');
        await db.withSession((other) => other.query('update t set n = 1'));
        await inner.query('update t set n = 2');
      },
      { mode: 'deferred' },
    );
    await expect(late).rejects.toMatchObject({
      name: 'SqliteError',
      code: expect.stringMatching(/^SQLITE_BUSY/),
      hint: expect.stringContaining('BEGIN IMMEDIATE'),
    });
    expect(await firstValue(session, 'select n from t')).toBe(1);
  });

  it('give up when the busy timeout is over, and say so', async () => {
    const db = database(`sqlite:${await makeFile('app.db')}?busyTimeout=20ms`);
    await using holder = await db.getDb();
    await holder.transaction(async () => {
      await expect(db.withSession((session) => session.query('update t set n = 1'))).rejects.toMatchObject({
        code: 'SQLITE_BUSY',
        hint: expect.stringContaining('longer than the busy timeout of 20 ms'),
      });
    });
  });

  it('are told when no busy timeout is set at all', async () => {
    const db = database(`sqlite:${await makeFile('app.db')}?busyTimeout=0ms`);
    await using holder = await db.getDb();
    await holder.transaction(async () => {
      await expect(db.withSession((session) => session.query('update t set n = 1'))).rejects.toMatchObject({
        code: 'SQLITE_BUSY',
        hint: expect.stringContaining('the busy timeout is 0'),
      });
    });
  });

  it('do not hinder transactions that only read', async () => {
    const db = database(`sqlite:${await makeFile('app.db')}?busyTimeout=0ms`);
    const gate = newGate();
    const holding = newGate();
    const writing = db.withSession((session) =>
      session.transaction(async (inner) => {
        await inner.query('update t set n = 1');
        holding.open();
        await gate.opened;
      }),
    );
    await holding.opened;
    const seen = await db.withSession((session) =>
      session.transaction((inner) => firstValue(inner, 'select n from t'), { readOnly: true }),
    );
    gate.open();
    await writing;
    expect(seen).toBe(0);
  });
});

/** What opening and one statement come to. */
async function failureOf(url: string, sql = 'select * from t'): Promise<unknown> {
  const failed: unknown = await database(url)
    .withSession((session) => session.query(sql))
    .catch((error: unknown) => error);
  return failed instanceof Error && 'code' in failed && failed.code === 'ERR_POOL_CREATE'
    ? failed.cause
    : failed;
}

/** What is wrong with a file, and what is said of it. */
type Fault = [
  what: string,
  make: () => Promise<string>,
  told: { code: string; message: RegExp; hint: RegExp },
];

const faults: Fault[] = [
  [
    'a missing file that is to be read',
    async () => `${at('none.db')}?mode=ro`,
    { code: 'SQLITE_CANTOPEN', message: /cannot open .*none\.db: there is no such file/, hint: /mustExist/ },
  ],
  [
    'a missing file that must exist',
    async () => `${at('none.db')}?mode=rw`,
    { code: 'SQLITE_CANTOPEN', message: /there is no such file/, hint: /mustExist/ },
  ],
  [
    'a missing folder',
    async () => at('no/such/app.db'),
    { code: 'SQLITE_CANTOPEN', message: /there is no folder .*\/no\/such/, hint: /check the path/ },
  ],
  [
    'a relative path written with three slashes',
    async () => '///no-such-folder/app.db',
    { code: 'SQLITE_CANTOPEN', message: /no folder/, hint: /write sqlite:no-such-folder\/app\.db/ },
  ],
  [
    'a folder in place of a file',
    async () => folder,
    { code: 'SQLITE_CANTOPEN', message: /it is a folder/, hint: /check the path/ },
  ],
  [
    'a folder in place of a file to be read',
    async () => `${folder}?mode=ro`,
    { code: 'SQLITE_CANTOPEN', message: /it is a folder/, hint: /check the path/ },
  ],
  [
    'a file of text',
    async () => {
      await writeFile(at('notes.db'), 'not a database '.repeat(100));
      return at('notes.db');
    },
    { code: 'SQLITE_NOTADB', message: /not a database/, hint: /notes\.db is not a SQLite database/ },
  ],
  [
    'a damaged file',
    async () => {
      const path = await makeFile('damaged.db', '?journal=keep');
      const file = await open(path, 'r+');
      await file.write(Buffer.alloc(4096, 0xff), 0, 4096, 4096);
      await file.close();
      return `${path}?journal=keep`;
    },
    { code: 'SQLITE_CORRUPT', message: /malformed/, hint: /damaged\.db is damaged; pragma integrity_check/ },
  ],
];

describe.each(['worker', 'inline'])('in mode %s, what is wrong is told with code and hint of', (mode) => {
  it.each(faults)('%s', async (_, make, { code, message, hint }) => {
    const rest = await make();
    expect(await failureOf(`sqlite:${rest}${rest.includes('?') ? '&' : '?'}mode=${mode}`)).toMatchObject({
      name: 'SqliteError',
      code,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  it('writing to a database opened for reading', async () => {
    const file = await makeFile('app.db');
    expect(await failureOf(`sqlite:${file}?mode=ro&mode=${mode}`, 'delete from t')).toMatchObject({
      code: 'SQLITE_READONLY',
      hint: expect.stringContaining('opened with readOnly'),
    });
  });
});

/** Root may do everything: the work is done as a user who may not. */
async function withoutRights<T>(work: () => Promise<T>): Promise<T> {
  const { seteuid, geteuid } = process;
  if (seteuid === undefined || geteuid?.call(process) !== 0) return work();
  // Loaded while it may be read, wherever this checkout lies.
  await database('sqlite::memory:?mode=inline').withSession((session) => session.query('select 1'));
  await chmod(folder, 0o777);
  seteuid.call(process, 65534);
  try {
    return await work();
  } finally {
    seteuid.call(process, 0);
  }
}

describe.skipIf(process.platform === 'win32')(
  'what a user has no right to is told with code and hint:',
  () => {
    it('writing to a file that may only be read', async () => {
      for (const journal of ['wal', 'keep']) {
        const file = await makeFile(`${journal}.db`, `?journal=${journal}`);
        await chmod(file, 0o444);
        const failed = await withoutRights(() => failureOf(`sqlite:${file}?mode=inline`, 'delete from t'));
        expect(failed).toMatchObject({
          code: 'SQLITE_READONLY',
          hint: `${file} may not be written`,
        });
      }
    });

    it('creating a file in a folder that may not be written', async () => {
      await mkdir(at('closed'), { mode: 0o555 });
      const failed = await withoutRights(() => failureOf(`sqlite:${at('closed/new.db')}?mode=inline`));
      expect(failed).toMatchObject({
        code: 'SQLITE_CANTOPEN',
        message: expect.stringMatching(/it is not there, and cannot be created in .*closed/),
      });
    });

    it('reading a file in WAL mode in a folder that may not be written', async () => {
      await mkdir(at('closed'));
      const file = await makeFile('closed/app.db');
      await chmod(at('closed'), 0o555);
      const failed = await withoutRights(() => failureOf(`sqlite:${file}?mode=inline&mode=ro`));
      await chmod(at('closed'), 0o755);
      expect(failed).toMatchObject({
        code: 'SQLITE_READONLY_DIRECTORY',
        hint: expect.stringContaining('make its folder writable, or read a copy'),
      });
    });

    it('reading a file that may not be read', async () => {
      const file = await makeFile('secret.db');
      await chmod(file, 0o000);
      const failed = await withoutRights(() => failureOf(`sqlite:${file}?mode=inline&mode=ro`));
      expect(failed).toMatchObject({
        code: 'SQLITE_CANTOPEN',
        message: expect.stringContaining('it may not be read'),
        hint: expect.stringContaining('whether this user may read it'),
      });
    });
  },
);
