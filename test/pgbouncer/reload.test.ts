import { describe, expect, it } from 'vitest';
import { blockersOf } from '../../src/pgbouncer/blockers.js';
import { commandFor, type Row, show } from '../../src/pgbouncer/console.js';
import { parseIni, type ReadFile, reloadChecked } from '../../src/pgbouncer/reload.js';

const NEVER = new AbortController().signal;
const config = (values: Readonly<Record<string, string>>, fixed: readonly string[] = []): Row[] =>
  Object.entries(values).map(([key, value]) => ({
    ...{ key, value },
    changeable: fixed.includes(key) ? 'no' : 'yes',
  }));

interface Console {
  readonly before: { readonly config: Row[]; readonly databases?: Row[] };
  readonly after?: { readonly config: Row[]; readonly databases?: Row[] };
}

async function reloaded(
  { before, after = before }: Console,
  readFile: ReadFile = async () => 'not readable',
) {
  const asked: string[] = [];
  const result = await reloadChecked(
    async (command) => {
      asked.push(command);
      const shown = asked.includes('RELOAD') ? after : before;
      if (command === 'SHOW CONFIG') return shown.config;
      return command === 'SHOW DATABASES' ? (shown.databases ?? []) : [];
    },
    NEVER,
    readFile,
  );
  return { ...result, asked };
}

const withFile =
  (text: string): ReadFile =>
  async (path) => ({ path: path ?? '?', text });
const inForce = (values: Readonly<Record<string, string>>, databases: Row[] = []) => ({
  before: { config: config({ conffile: '/etc/p.ini', ...values }), databases },
});

describe('a reload', () => {
  it('looks before and after, and hands the pooler’s own file on', async () => {
    const paths: (string | null)[] = [];
    const readFile: ReadFile = async (path) => {
      paths.push(path);
      return 'not readable';
    };
    const own = { before: { config: config({ max_client_conn: '10', conffile: '/etc/p.ini' }) } };
    expect(await reloaded(own, readFile)).toEqual({
      ...{ changes: [], notTaken: [], file: null, notCompared: 'not readable' },
      asked: ['SHOW CONFIG', 'SHOW DATABASES', 'RELOAD', 'SHOW CONFIG', 'SHOW DATABASES'],
    });
    await reloaded({ before: { config: config({ conffile: '' }) } }, readFile);
    await reloaded({ before: { config: config({ other: 'x' }) } }, readFile);
    expect(paths).toEqual(['/etc/p.ini', null, null]);
  });

  it('says what changed, of settings and of databases, but not of counts of the moment', async () => {
    const database = (own: Row): Row => ({
      ...{ name: 'shop', pool_size: 5, current_connections: 1, paused: 0, disabled: 0, ...own },
    });
    const { changes } = await reloaded({
      before: {
        config: config({ same: '1', pool_mode: 'session', old: 'x' }),
        databases: [database({}), database({ name: 'gone', host: 'a' })],
      },
      after: {
        config: config({ same: '1', pool_mode: 'transaction', new: 'y' }),
        databases: [database({ pool_size: 7, current_connections: 3, paused: 1, disabled: 1 })],
      },
    });
    expect(changes).toEqual([
      { what: 'pool_mode', before: 'session', after: 'transaction' },
      { what: 'old', before: 'x', after: null },
      { what: 'new', before: null, after: 'y' },
      { what: 'database shop: pool_size', before: '5', after: '7' },
      { what: 'database gone: pool_size', before: '5', after: null },
      { what: 'database gone: host', before: 'a', after: null },
    ]);
  });

  it('refuses a console that shows nothing', async () => {
    await expect(reloaded({ before: { config: [] } })).rejects.toMatchObject({
      code: 'ERR_PGBOUNCER_REFUSED',
    });
  });

  it.each([
    ['yes', '1'],
    ['On', '1'],
    ['TRUE', '1'],
    ['no', '0'],
    ['off', '0'],
    ['false', '0'],
    ['10', '10.0'],
    ['007', '7'],
    ['0.50', '0.5'],
    ['transaction ', 'transaction'],
  ])('takes %j in the file and %j in force for the same', async (written, shown) => {
    const { notTaken } = await reloaded(inForce({ key: shown }), withFile(`[pgbouncer]\nkey = ${written}\n`));
    expect(notTaken).toEqual([]);
  });

  it.each([
    ['yesterday', '1'],
    ['soon', '1'],
    ['noon', '0'],
    ['kino', '0'],
    ['10s', '10'],
    ['v10', '10'],
    ['10s', '11s'],
    ['s', ' x'],
    ['1', '2'],
    ['Transaction', 'transaction'],
    ['1.2.3', '1.2'],
  ])('takes %j in the file and %j in force for two things', async (written, shown) => {
    const { notTaken, file } = await reloaded(
      inForce({ key: shown }),
      withFile(`[pgbouncer]\nkey = ${written}\n`),
    );
    expect(file).toBe('/etc/p.ini');
    expect(notTaken).toMatchObject([{ what: 'key', file: written, inForce: shown }]);
  });

  it('tells a setting that needs a restart from one that was not taken, and from one that is not known', async () => {
    const fixed = { before: { config: config({ listen_port: '1', verbose: '0' }, ['listen_port']) } };
    const { notTaken } = await reloaded(
      fixed,
      withFile('[pgbouncer]\nlisten_port = 2\nverbose = 3\nnew_key = 1\n'),
    );
    const [port, verbose, unknown] = notTaken;
    expect(port).toMatchObject({ what: 'listen_port', why: expect.stringContaining('restart') });
    expect(verbose).toMatchObject({ what: 'verbose', inForce: '0' });
    expect(verbose?.why).not.toContain('restart');
    expect(unknown).toMatchObject({ what: 'new_key', file: '1', inForce: null });
  });

  it('compares each database with its columns, where the version has the column', async () => {
    const shop: Row = {
      ...{ name: 'shop', host: 'db', port: 5432, database: 'shop_1', force_user: 'app' },
      ...{ pool_size: 5, pool_mode: null },
    };
    const ini = [
      '[databases]',
      "shop = host=other port=5432 dbname='shop''1' user=app pool_size=6 max_db_connections=9",
      'gone = host=db',
      '* = host=db',
    ].join('\n');
    const { notTaken } = await reloaded(inForce({}, [{ name: 'x', host: 'other' }, shop]), withFile(ini));
    expect(notTaken).toMatchObject([
      { what: 'database shop: host', file: 'other', inForce: 'db' },
      { what: 'database shop: dbname', file: "shop'1", inForce: 'shop_1' },
      { what: 'database shop: pool_size', file: '6', inForce: '5' },
      { what: 'database gone', inForce: null },
    ]);
  });

  it('says where the file cannot be read, by line', async () => {
    const { notTaken } = await reloaded(inForce({ a: '1' }), withFile('[pgbouncer]\na = 1\nnonsense\n'));
    expect(notTaken).toMatchObject([{ what: 'line 3', inForce: null }]);
  });
});

describe('pgbouncer.ini', () => {
  it('is read by section, without comments, includes and the spaces around', () => {
    const { settings, databases, broken } = parseIni(
      [
        'early = 1',
        '; a comment',
        '# another = 1',
        '',
        '  [databases]  ',
        `"my ""db""" = host=h password='it''s = 5' port = 1`,
        'plain=host=h',
        '[other]',
        'ignored = 1',
        '[pgbouncer]',
        '\t pool_mode  =  session = x  \r',
        'empty =',
        '%include /etc/more.ini',
        'text%include = 1',
        'two words = 1',
        '= 1',
      ].join('\n'),
    );
    expect([...settings]).toEqual([
      ['pool_mode', 'session = x'],
      ['empty', ''],
      ['text%include', '1'],
    ]);
    expect([...databases].map(([name, pairs]) => [name, Object.fromEntries(pairs)])).toEqual([
      ['my "db"', { host: 'h', password: "it's = 5", port: '1' }],
      ['plain', { host: 'h' }],
    ]);
    expect(broken).toEqual([15, 16]);
  });
});

describe('the console', () => {
  it('gives its rows as text, with the columns of all of them, and empty for nothing', async () => {
    const table = await show(
      async (command) => [{ command }, { command: 0, pid: null, since: undefined }],
      'pools',
      NEVER,
    );
    expect(table).toEqual({
      columns: ['command', 'pid', 'since'],
      rows: [
        ['SHOW POOLS', '', ''],
        ['0', '', ''],
      ],
    });
  });

  it('is sent a command with the name of a database, or with none', () => {
    expect([commandFor('PAUSE', null), commandFor('PAUSE', 'a-b')]).toEqual(['PAUSE', 'PAUSE "a-b"']);
  });
});

describe('who blocks a pause', () => {
  const server = (own: Row): Row => ({ database: 'shop', user: 'app', state: 'idle', link: '', ...own });
  it('is each server in use, of the database or of all but the console, with its client', () => {
    const servers = [
      server({ link: 'c1', remote_pid: 7 }),
      server({ state: 'active_cancel', remote_pid: 0 }),
      server({ state: 'inactive' }),
      server({ database: 'other', state: 'active', link: 'c3' }),
      server({ database: 'pgbouncer', state: 'active' }),
    ];
    const clients: Row[] = [
      { ptr: '', addr: 'nobody' },
      { ptr: 'c1', application_name: '', addr: '10.0.0.7', port: 5, request_time: 'noon' },
      { ptr: 'c3', application_name: 'api', addr: 'unix', port: null, request_time: 'now' },
    ];
    const own = [
      {
        ...{ database: 'shop', user: 'app', state: 'idle', backendPid: 7 },
        client: { application: null, address: '10.0.0.7:5', since: 'noon' },
      },
      { database: 'shop', user: 'app', state: 'active_cancel', backendPid: null, client: null },
    ];
    expect(blockersOf(servers, clients, 'shop')).toEqual(own);
    expect(blockersOf(servers, clients, null)).toEqual([
      ...own,
      {
        ...{ database: 'other', user: 'app', state: 'active', backendPid: null },
        client: { application: 'api', address: 'unix', since: 'now' },
      },
    ]);
  });
});
