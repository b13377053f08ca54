import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpPool } from '../../src/http/index.js';
import { createIbPool } from '../../src/ib/pool.js';
import { createDatabase } from '../../src/index.js';
import { startFeedServer } from '../../src/lab/feed-server/feed-server.js';
import { startGateway } from '../../src/lab/ib-gateway/index.js';
import { brokerPool } from '../../src/snapshot/broker.js';
import { feedPool } from '../../src/snapshot/feed.js';
import { httpPool } from '../../src/snapshot/http.js';
import { databasePool } from '../../src/snapshot/pool.js';
import { partsOf, poolReading, type Tick } from '../../src/snapshot/reading.js';
import { type AnySchema, readAs } from '../../src/snapshot/schema.js';
import { toApp, toReading } from '../../src/sources/published.js';
import { parseRecording, recordingHeader, recordingLine, ticksOf } from '../../src/top/recording.js';
import { watch } from '../../src/watch/index.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { Opened, textOf } from '../http/peers.js';

const fixture = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../../fixtures/recordings', name), 'utf8');
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A pool of each kind that has done something, as it is published. */
const KINDS: readonly (readonly [string, AnySchema, () => Promise<unknown>])[] = [
  [
    'database',
    databasePool,
    async () => {
      const database = await createDatabase('sqlite::memory:');
      endings.push(() => database.close());
      const session = await database.getDb();
      endings.push(() => session.close());
      await session.query('select 1');
      return watch(database).snapshots()[0];
    },
  ],
  [
    'HTTP',
    httpPool,
    async () => {
      const opened = new Opened();
      endings.push(() => opened.close());
      const { url } = await opened.http((_, response) => response.end('ok'));
      const pool = createHttpPool({ name: 'site', breaker: {} });
      endings.push(() => pool.close({ graceMs: 0 }));
      await textOf(pool.request(`${url}/`));
      return pool.snapshot();
    },
  ],
  [
    'feed',
    feedPool,
    async () => {
      const server = await startFeedServer({ ticksPerSecond: 50 });
      endings.push(() => server.close());
      const pool = new SubscriptionPool({ name: 'quotes', url: server.url });
      endings.push(() => pool.close());
      const subscriber = pool.subscriber();
      await subscriber.subscribe(['AAPL', 'MSFT']);
      return pool.snapshot();
    },
  ],
  [
    'broker',
    brokerPool,
    async () => {
      const gateway = await startGateway({});
      endings.push(() => gateway.close());
      const pool = createIbPool({ name: 'broker', port: gateway.port });
      endings.push(() => pool.close({ graceMs: 0 }));
      await pool.withIb((connection) => connection.currentTime());
      return pool.snapshot();
    },
  ],
];

describe('the snapshot of a pool', () => {
  it.each(KINDS)('of the kind %s is read as it was written', async (_, schema, snapshotOf) => {
    const written = plain(await snapshotOf());
    const read = readAs(schema, written);
    expect(read).toEqual(ungrouped(written));
    // Recorded, and read again.
    expect(readAs(schema, plain(read))).toEqual(read);
    expect(readAs(poolReading, written)).toEqual({ ...(read as object), app: null });
  });

  it.each(KINDS)('of the kind %s keeps what a newer version adds', async (_, schema, snapshotOf) => {
    const newer = withMore(ungrouped(plain(await snapshotOf())));
    expect(readAs(schema, newer)).toEqual(newer);
  });

  it.each(KINDS)('of the kind %s has no 0 where nothing was measured', async (_, schema, snapshotOf) => {
    const written = ungrouped(plain(await snapshotOf()));
    for (const path of pathsOf(written)) {
      const read = readAs(schema, without(written, path));
      // A pool without a field that makes it a pool is none.
      if (read !== null) expect(at(read, path) ?? null, path.join('.')).not.toBe(0);
    }
  });
});

describe('a recording of version 0.1.0', () => {
  const recording = parseRecording(fixture('0.1.0.jsonl'));
  const lines = recording.blocks.flatMap((block) => block.lines());
  const recorded = lines.map((line) => JSON.parse(line) as Tick);

  it('is read whole, and recorded again without a loss', () => {
    expect(recording).toMatchObject({ skipped: 0 });
    expect(lines).toHaveLength(2);
    const ticks = [...ticksOf(recording)];
    expect(ticks).toMatchObject(recorded);
    const again = parseRecording(recordingHeader() + ticks.map(recordingLine).join(''));
    expect([...ticksOf(again)]).toEqual(ticks);
  });

  it('has a pool of each kind, PostgreSQL and PgBouncer', () => {
    const [tick] = ticksOf(recording);
    const readings = tick?.sources.flatMap(({ reading }) => reading ?? []) ?? [];
    expect(readings.map(({ kind }) => kind)).toEqual(['pool', 'postgres', 'pgbouncer']);
    expect(readings[0]?.pools).toMatchObject([
      { driver: 'pg', inUse: 1, counters: { acquired: 1, destroyed: null } },
      { driver: 'postgresql', holders: [{ leaked: true, lastSql: 'select 1' }] },
      { driver: 'http', http: { retries: { timeout: 5 }, circuitOpened: null } },
      { driver: 'ib-worker', ib: { connections: [{ state: 'ready', attempts: 1, upstreamLost: null }] } },
      { driver: 'ws:json', feed: { live: 3, subscribers: null } },
    ]);
    expect(readings[1]?.server).toMatchObject({ version: '18.4' });
    expect(readings[2]?.pooler).toMatchObject({ version: '1.18.0', pools: [{ database: 'shop' }] });
  });

  it('with what a newer version adds anywhere is recorded again without a loss', () => {
    const newer = recorded.map((tick) => withMore(tick) as Tick);
    const read = parseRecording(recordingHeader() + newer.map(recordingLine).join(''));
    expect(read.skipped).toBe(0);
    expect([...ticksOf(read)]).toMatchObject(newer);
  });
});

describe('a recording of a newer version', () => {
  it('with a kind of source and of pool that this one does not know keeps its other sources', () => {
    const [tick] = ticksOf(parseRecording(fixture('0.1.0.jsonl')));
    const [app] = tick?.sources ?? [];
    const [pool] = app?.reading?.pools ?? [];
    const cache = { ...pool, name: 'cache', driver: 'redis', redis: { slots: 16_384, masters: ['a', 'b'] } };
    const newer = {
      ...{ label: 'redis://cache', kind: 'redis', stale: null, readMs: 1 },
      reading: {
        ...app?.reading,
        source: 'redis://cache',
        kind: 'redis',
        pools: [cache],
        slowlog: [{ us: 7 }],
      },
    };
    const line = `${JSON.stringify({ ...tick, sources: [...(tick?.sources ?? []), newer] })}\n`;
    const read = parseRecording(recordingHeader() + line);
    expect(read.skipped).toBe(0);
    expect([...ticksOf(read)].map(recordingLine)).toEqual([expect.stringContaining('"masters":["a","b"]')]);
    expect([...ticksOf(read)]).toMatchObject([JSON.parse(line)]);
  });
});

describe('what an application of version 0.1.0 publishes', () => {
  it('is read, each kind of pool whole', () => {
    const [hello = '', answer = ''] = fixture('0.1.0-socket.jsonl').split('\n');
    const reading = toReading(answer, toApp(hello), 'pool:x', 5);
    expect(reading.gaps).toEqual([]);
    const { pools } = JSON.parse(answer) as { pools: object[] };
    // What 0.1.0 did not know is null.
    expect(reading.pools).toMatchObject(
      pools.map((pool) => ({ ...(ungrouped(pool) as object), app: toApp(hello) })),
    );
  });
});

describe('the parts that only one kind of pool has', () => {
  it('are taken from a snapshot of that kind, and from no other', () => {
    const [, answer = ''] = fixture('0.1.0-socket.jsonl').split('\n');
    const { pools } = JSON.parse(answer) as { pools: Readonly<Record<string, unknown>>[] };
    const found = pools.map((pool) => Object.keys(partsOf(pool)));
    expect(found).toEqual(
      pools.map((pool) => ['ib', 'feed', 'http'].filter((kind) => pool[kind] !== undefined)),
    );
    expect(new Set(found.flat())).toEqual(new Set(['ib', 'feed', 'http']));
    expect(partsOf({ feed: 'malformed', http: null })).toEqual({});
  });
});

describe('a pool of HTTP connections whose version does not count something', () => {
  it('is read without it', () => {
    const [, answer = ''] = fixture('0.1.0-socket.jsonl').split('\n');
    const { pools } = JSON.parse(answer) as { pools: { driver: string; http?: object }[] };
    const pool = pools.find(({ driver }) => driver === 'http');
    const read = readAs(poolReading, { ...pool, http: { ...pool?.http, closed: undefined, timeouts: 7 } });
    expect(read?.http).toMatchObject({
      closed: { expiry: null },
      timeouts: { read: null },
      retries: { lost: 0 },
    });
  });
});

describe('what a hostile application publishes beyond the known fields', () => {
  const [, answer = ''] = fixture('0.1.0-socket.jsonl').split('\n');
  const [pool] = (JSON.parse(answer) as { pools: object[] }).pools;

  it.each<[string, unknown, (more: unknown) => void]>([
    [
      'nested without end',
      JSON.parse(`${'{"a":['.repeat(5000)}${']}'.repeat(5000)}`),
      (more) => expect(JSON.stringify(more).length).toBeLessThan(100),
    ],
    ['long text', 'x'.repeat(50_000), (more) => expect(more).toHaveLength(10_000)],
    ['a long list', Array.from({ length: 50_000 }, () => 0), (more) => expect(more).toHaveLength(20_000)],
    [
      'many fields',
      Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`f${i}`, i])),
      (more) => expect(Object.keys(more as object)).toHaveLength(100),
    ],
  ])('is bounded: %s', (_, more, check) => {
    const read = readAs(poolReading, { ...pool, more });
    check((read as unknown as { more: unknown }).more);
  });

  it('is bounded in number too, and never a prototype', () => {
    const fields = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`f${i}`, i]));
    const proto = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}}}',
    ) as object;
    const read = readAs(poolReading, { ...pool, ...proto, ...fields });
    expect(Object.keys(read ?? {}).length).toBeLessThan(150);
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('polluted');
  });
});

/** A reading has the counters of a broker's connection beside its state. */
function ungrouped(snapshot: unknown): unknown {
  const { ib } = snapshot as { ib?: { connections: { supervisor: object }[] } };
  if (ib === undefined) return snapshot;
  const connections = ib.connections.map(({ supervisor, ...rest }) => ({ ...rest, ...supervisor }));
  return { ...(snapshot as object), ib: { ...ib, connections } };
}

/** With one more field in each object. Where names are free, a newer version adds values of the same kind. */
function withMore(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withMore(item));
  if (typeof value !== 'object' || value === null) return value;
  const more = name === 'config' ? 'text' : name === 'figures' ? 7 : { deep: [1, { er: null }] };
  const fields = Object.entries(value).map(([key, item]) => [key, withMore(item, key)]);
  return { ...Object.fromEntries(fields), fromTheFuture: more };
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown, before: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  const keys = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return keys.flatMap((key) => {
    const path = [...before, key];
    return [
      ...(typeof key === 'string' ? [path] : []),
      ...pathsOf((value as Readonly<Record<string | number, unknown>>)[key], path),
    ];
  });
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (found, key) => (found as Readonly<Record<string | number, unknown>> | null | undefined)?.[key],
    value,
  );
}

function without(value: unknown, path: Path): unknown {
  const copy = structuredClone(value);
  const owner = at(copy, path.slice(0, -1)) as Record<string | number, unknown>;
  delete owner[path.at(-1) ?? ''];
  return copy;
}
