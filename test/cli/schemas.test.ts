import { once } from 'node:events';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020, type AnySchemaObject } from 'ajv-draft-2020/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createDatabase } from '../../src/index.js';
import { startFeedServer } from '../../src/lab/feed-server/feed-server.js';
import { startGateway } from '../../src/lab/ib-gateway/index.js';
import { watch } from '../../src/watch/index.js';
import { publish } from '../../src/watch/publish.js';
import { bin, poolctl, root, start } from '../helpers/bin.js';
import { freePort } from '../helpers/guarded.js';
import { leaseRecording } from '../helpers/lease-recordings.js';
import { describeWithPgBouncer, startPgBouncer } from '../helpers/pgbouncer.js';
import { newDatabase, postgres } from '../helpers/postgres.js';

let folder: string;
const ends: (() => unknown)[] = [];
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'poolctl-schemas-')));
  await writeFile(join(folder, 'package.json'), '{ "dependencies": { "pg": "8" } }');
  await writeFile(
    join(folder, 'leak.ts'),
    `import { Pool } from 'pg';
    const pool = new Pool({ max: 7 });
    export async function find() {
      const client = await pool.connect();
      await client.query('select 1');
      client.release();
    }`,
  );
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
  await rm(folder, { recursive: true });
});

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true, discriminator: false });

async function schema(name: string): Promise<AnySchemaObject> {
  return JSON.parse(await readFile(join(root, 'schemas', `${name}.json`), 'utf8')) as AnySchemaObject;
}

/** Whether a document fits, and a document with one of its fields renamed does not, at whatever depth. */
async function fits(name: string, document: unknown): Promise<void> {
  const own = await schema(name);
  const validate = ajv.getSchema(name) ?? ajv.addSchema(own, name).getSchema(name);
  if (validate === undefined) throw new Error(`no schema ${name}`);
  expect([name, validate(document), validate.errors]).toEqual([name, true, null]);
  for (const path of fieldsOf(document)) {
    const renamed = withRenamed(document, path);
    // Names of a record, such as error codes, may be any.
    if (!isFixed(own, path)) continue;
    expect([name, path.join('.'), validate(renamed)]).toEqual([name, path.join('.'), false]);
  }
}

type Path = readonly (string | number)[];

/** The paths of some fields: the first ten of each object, and the first item of each list. */
function fieldsOf(value: unknown, path: Path = []): Path[] {
  if (Array.isArray(value)) return value.length === 0 ? [] : fieldsOf(value[0], [...path, 0]);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    [...path, key],
    ...fieldsOf(inner, [...path, key]),
  ]);
}

function withRenamed(document: unknown, path: Path): unknown {
  const copy = structuredClone(document) as Record<string | number, unknown>;
  const parent = path
    .slice(0, -1)
    .reduce<Record<string | number, unknown>>((at, key) => at[key] as Record<string | number, unknown>, copy);
  const key = path.at(-1) ?? '';
  parent[`${key}Renamed`] = parent[key];
  delete parent[key];
  return copy;
}

/** Whether the schema names this field: in a record any name will do. */
function isFixed(own: AnySchemaObject, path: Path): boolean {
  const definitions = (own.$defs ?? {}) as Record<string, AnySchemaObject>;
  let at: readonly AnySchemaObject[] = [own];
  const open = (one: AnySchemaObject): AnySchemaObject[] => {
    if (typeof one.$ref === 'string') return open(definitions[one.$ref.replace('#/$defs/', '')] ?? {});
    return Array.isArray(one.anyOf) ? (one.anyOf as AnySchemaObject[]).flatMap(open) : [one];
  };
  for (const [step, key] of path.entries()) {
    const places = at.flatMap(open);
    if (typeof key === 'number') {
      at = places
        .flatMap((one) => [one.items, one.prefixItems?.[key]])
        .filter((one) => typeof one === 'object');
      continue;
    }
    const named = places.filter((one) => one.properties?.[key] !== undefined);
    if (step === path.length - 1)
      return named.length > 0 && places.every((one) => typeof one.additionalProperties !== 'object');
    at =
      named.length > 0
        ? named.map((one) => one.properties[key] as AnySchemaObject)
        : places.map((one) => one.additionalProperties).filter((one) => typeof one === 'object');
  }
  return false;
}

async function json(argv: readonly string[], codes: readonly number[] = [0], env = {}): Promise<unknown> {
  const { code, stdout, stderr } = await poolctl(argv, { cwd: folder, env });
  if (!codes.includes(code ?? -1)) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

/** The first line of a program that goes on until it is ended. */
async function firstLine(argv: readonly string[]): Promise<unknown> {
  const { child, finished } = start(bin, argv, { cwd: folder });
  if (child.stdout === null) throw new Error('no stdout');
  const [line] = await once(child.stdout, 'data');
  child.kill('SIGINT');
  await finished;
  return JSON.parse(String(line));
}

const SHORT = ['--num-queries=60', '--num-workers=3', '--format=json'];
const EITHER = [0, 1];

describe('the JSON of a command fits its schema, field by field', () => {
  it('audit-leaks, and its baseline', async () => {
    const argv = ['audit-leaks', '--no-cache', '--format=json'];
    await fits('audit-leaks', await json(argv, [1]));
    await json([...argv, '--baseline=leaks.json', '--update-baseline']);
    await fits('audit-leaks-baseline', JSON.parse(await readFile(join(folder, 'leaks.json'), 'utf8')));
    await fits('print-config', await json([...argv, '--print-config']));
    await fits(
      'audit-leaks',
      await json(['audit-leaks', '--no-cache', '--format=json', join(root, 'fixtures/audit')], [1]),
    );
  }, 120_000);

  it('size', async () => {
    await writeFile(join(folder, 'leases.rec'), leaseRecording({ leaks: 1, seconds: 4 }));
    const argv = ['size', 'leases.rec', '--max-connections=100', '--pgbouncer-pool-size=9', '--format=json'];
    await fits('size', await json(argv));
  });

  it('loadtest: one run, a sweep, a baseline; and compare', async () => {
    await fits('loadtest', await json(['loadtest', ...SHORT, '--threshold=p99<1m'], EITHER));
    for (const name of ['a.json', 'b.json'])
      await poolctl(['loadtest', ...SHORT, '-o', name], { cwd: folder });
    await fits('compare', await json(['compare', 'a.json', 'b.json', '--format=json'], EITHER));
    await fits(
      'loadtest',
      await json(
        [
          'loadtest',
          '--test-type=ramp',
          '--rate-from=20/s',
          '--rate-to=40/s',
          '--rate-step=20/s',
          '--step-duration=300ms',
          '--format=json',
        ],
        EITHER,
      ),
    );
    const part = await json(['loadtest', ...SHORT, '--segment=1/2']);
    await fits('loadtest', part);
    await writeFile(join(folder, 'part.json'), JSON.stringify(part));
    await fits('loadtest', await json(['merge', join(folder, 'part.json'), '--format=json'], EITHER));
    await fits('loadtest-sweep', await json(['loadtest', ...SHORT, '--sweep=pool-size=1,2'], EITHER));
    await fits(
      'loadtest-baseline',
      await json(['loadtest', ...SHORT, '--baseline=unpooled', '--rounds=2'], EITHER),
    );
  }, 120_000);

  it('loadtest of HTTP and of a feed', async () => {
    const server = createServer((_, response) => void response.end('ok')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    ends.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await fits('loadtest', await json(['loadtest', url, ...SHORT], EITHER));
    const feed = await startFeedServer({ ticksPerSecond: 500 });
    ends.push(() => feed[Symbol.asyncDispose]());
    await fits(
      'loadtest-feed',
      await json(['loadtest', feed.url, '--symbols=5', '--duration=300ms', '--format=json'], EITHER),
    );
  }, 120_000);

  it('doctor', async () => {
    const shop = createDatabase(`sqlite:${join(folder, 'shop.db')}`);
    await shop.withSession((session) => session.exec('create table orders (id integer primary key)'));
    await shop.close();
    await fits('doctor', await json(['doctor', 'sqlite:shop.db', '--format=json'], EITHER));
  }, 60_000);

  it('health and top', async () => {
    const database = createDatabase('sqlite::memory:', { size: 1 });
    ends.push(() => database.close());
    const session = await database.getDb();
    const pools = [watch(database.pool, { name: 'shop' })];
    const token = 'a-token-of-this-test';
    const env = { POOLCTL_TOKEN: token };
    const published = await publish({
      app: { name: 'shop', pid: 42, host: 'here', node: 'v20', startedAtMs: 1 },
      at: { kind: 'port', host: '127.0.0.1', port: 0, token },
      read: () => ({ takenAtMs: 1, pools: pools.flatMap((one) => one.snapshots()), gaps: [] }),
      clock: systemClock,
    });
    ends.push(() => published.close());
    const source = `pool:${published.address}`;
    await fits('health', await json(['health', source, '--format=json'], [0, 1], env));
    await fits('health', await json(['health', 'pool:127.0.0.1:1', '--format=json'], [1, 3]));
    await fits('top', await json(['top', '--once', '--json', '--interval=100ms', source], EITHER, env));
    await session.close();
    await fits('top', await json(['top', '--demo', '--once', '--json', '--interval=100ms'], EITHER));
    await poolctl(['top', '--demo', '--once', '--json', '--interval=100ms', '--record=tape.jsonl'], {
      cwd: folder,
    });
    const lines = (await readFile(join(folder, 'tape.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines.slice(0, 2)) await fits('top-recording', JSON.parse(line));
  }, 120_000);

  it('metrics serve', async () => {
    await fits(
      'metrics-serve',
      await firstLine(['metrics', 'serve', '--port=0', '--source=pool:127.0.0.1:1', '--format=json']),
    );
  }, 60_000);

  it('ib gateway, ib ping and ib stress', async () => {
    await fits('ib-gateway', await firstLine(['ib', 'gateway', '--port=0', '--format=json']));
    const gateway = await startGateway({});
    ends.push(() => gateway.close());
    await fits('ib-ping', await json(['ib', 'ping', `--port=${gateway.port}`, '--format=json']));
    await fits('ib-ping', await json(['ib', 'ping', `--port=${await freePort()}`, '--format=json'], [3]));
    await fits('ib-stress-list', await json(['ib', 'stress', '--list', '--format=json']));
    await fits(
      'ib-stress',
      await json(
        ['ib', 'stress', '--test=sequential', '--workers=2', '--requests=2', '--format=json'],
        EITHER,
      ),
    );
  }, 120_000);

  it('ws stress', async () => {
    const argv = ['--max-symbols-per-websocket=100', '--symbols=250', '--batch-rate=20/s', '--fault=drop'];
    await fits('ws-stress', await json(['ws', 'stress', ...argv, '--format=json'], EITHER));
  }, 60_000);

  it('init', async () => {
    await fits('init', await json(['init', '--format=json', '--ci=github']));
  }, 60_000);

  it('pgbouncer init', async () => {
    const argv = [
      'pgbouncer',
      'init',
      'postgres://app:secret-4711@127.0.0.1:5432/shop',
      '--dir=.',
      '--format=json',
    ];
    await fits('pgbouncer-init', await json(argv));
  });
});

describeWithPgBouncer('the JSON of the console fits its schema', () => {
  it('pgbouncer show, pause and resume', async () => {
    const own = await newDatabase();
    const bouncer = await startPgBouncer();
    ends.push(() => bouncer.stop());
    const at = `--at=pgbouncer://${postgres?.user}@127.0.0.1:${bouncer.port}/`;
    const env = { PGPASSWORD: postgres?.password ?? '' };
    await fits('pgbouncer-show', await json(['pgbouncer', 'show', 'pools', at, '--format=json'], [0], env));
    await fits(
      'pgbouncer-admin',
      await json(['pgbouncer', 'pause', own.name, at, '--hold=100ms', '--yes', '--format=json'], EITHER, env),
    );
    await fits(
      'pgbouncer-admin',
      await json(['pgbouncer', 'reload', at, '--yes', '--format=json'], EITHER, env),
    );
  }, 60_000);
});
