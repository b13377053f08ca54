import type { PoolerReading } from '../../src/snapshot/pooler.js';
import type { PoolReading, Reading, SourceState, Tick } from '../../src/snapshot/reading.js';
import type { Backend, ServerReading } from '../../src/snapshot/server.js';
import { demoSources } from '../../src/top/demo.js';
import { initialState, type Message, reduce } from '../../src/top/reduce.js';
import type { Size, State } from '../../src/top/state.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

export const AT_MS = Date.UTC(2026, 0, 1, 12);
export const SELECT = { cwd: '/app' };

type Holder = PoolReading['holders'][number];

export function holder(own: Partial<Holder> = {}): Holder {
  return {
    leaseId: 1,
    ageMs: 20,
    site: '/app/src/orders.ts:88:21',
    stack: null,
    leaked: false,
    lastSql: null,
    busy: null,
    localPort: null,
    backendPid: null,
    ...own,
  };
}

export function pool(own: Partial<PoolReading> = {}): PoolReading {
  const { holders = [] } = own;
  return {
    schema: 1,
    name: 'orders',
    driver: 'pg',
    takenAtMs: AT_MS,
    size: 10,
    maxOverflow: 5,
    live: 15,
    overflow: 5,
    idle: 0,
    inUse: holders.length,
    creating: 0,
    waiting: 0,
    peakWaiting: 0,
    peakInUse: 0,
    longestWaitMs: null,
    longestHoldMs: holders[0]?.ageMs ?? null,
    createError: null,
    counters: {
      acquired: 100,
      released: 90,
      created: 15,
      createFailed: 0,
      destroyed: 0,
      overflowCreated: 0,
      waited: 0,
      timedOut: 0,
      aborted: 0,
      refused: 0,
      invalidated: 0,
      softInvalidated: 0,
      recycled: 0,
      pingFailed: 0,
      resetFailed: 0,
      detached: 0,
      leaked: 0,
      collected: 0,
      doubleReleased: 0,
      nested: 0,
    },
    wait: null,
    hold: null,
    closed: false,
    app: { name: 'api', pid: 7, host: 'here', node: 'v20.19.0', startedAtMs: AT_MS - 60_000 },
    ...own,
    holders,
  };
}

export function backend(own: Partial<Backend> = {}): Backend {
  return {
    pid: 100,
    database: 'shop',
    user: 'app',
    application: 'api',
    clientAddress: '127.0.0.1',
    clientPort: null,
    state: 'active',
    stateMs: 20,
    transactionMs: 20,
    queryMs: 20,
    connectedMs: 60_000,
    waitType: null,
    waitEvent: null,
    query: 'SELECT 1',
    blockedBy: [],
    ...own,
  };
}

export function server(own: Partial<ServerReading> = {}): ServerReading {
  return {
    version: '16.4',
    maxConnections: 100,
    reservedConnections: 3,
    usedConnections: 20,
    databases: [],
    ...own,
  };
}

export function pooler(
  own: Partial<PoolerReading> = {},
  queue: Partial<PoolerReading['pools'][number]> = {},
) {
  return {
    version: '1.24.1',
    pools: [
      {
        database: 'shop',
        user: 'app',
        mode: 'transaction',
        clientsActive: 4,
        clientsWaiting: 0,
        serversActive: 4,
        serversIdle: 0,
        serversOther: 0,
        longestWaitMs: 0,
        size: 4,
        ...queue,
      },
    ],
    databases: [],
    clients: [],
    servers: [],
    maxClients: 100,
    usedClients: 20,
    config: {},
    ...own,
  } satisfies PoolerReading;
}

export function reading(own: Partial<Reading> = {}): Reading {
  return {
    source: 'pool:a',
    kind: 'pool',
    takenAtMs: AT_MS,
    pools: [],
    backends: [],
    server: null,
    pooler: null,
    gaps: [],
    ...own,
  };
}

export function source(own: Partial<Reading> = {}, state: Partial<SourceState> = {}): SourceState {
  const read = reading(own);
  return { label: read.source, kind: read.kind, reading: read, stale: null, readMs: 1, ...state };
}

export function tick(...sources: SourceState[]): Tick {
  return { atMs: sources[0]?.reading?.takenAtMs ?? AT_MS, sources };
}

/** The simulated application at one moment after another, as a screen would have read it. */
export async function demoTicks(count: number): Promise<Tick[]> {
  const clock = new VirtualClock();
  const sources = demoSources({ clock });
  const signal = new AbortController().signal;
  const ticks: Tick[] = [];
  for (let at = 0; at < count; at++) {
    const states = await Promise.all(
      sources.map(async (one): Promise<SourceState> => {
        const { label, kind } = one;
        return { label, kind, reading: await one.read(signal), stale: null, readMs: 1 };
      }),
    );
    ticks.push({ atMs: clock.wallTime(), sources: states });
    await clock.advance(1000);
  }
  return ticks;
}

export interface StartOptions {
  readonly size?: Size;
  readonly allowActions?: boolean;
}

/** A screen to which all of that has happened. */
export function screenAfter(messages: readonly Message[], options: StartOptions = {}): State {
  const { size = { columns: 80, rows: 24 }, allowActions = false } = options;
  return messages.reduce(
    (state, message) => reduce(state, message, SELECT),
    initialState({ size, intervalMs: 1000, allowActions }, SELECT),
  );
}

export const ticked = (one: Tick): Message => ({ type: 'tick', tick: one });
/** Each is a key: `enter`, `x`. */
export const keys = (...names: string[]): Message[] => names.map((key) => ({ type: 'key', key }));
/** Types text, letter by letter. */
export const typing = (text: string): Message[] => keys(...text);
