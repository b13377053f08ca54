import { ignore } from '../../base/promises.js';
import { ClientIds } from '../../ib/client-ids.js';
import type { Tick } from '../../ib/contracts.js';
import { IbError } from '../../ib/errors.js';
import type { Line } from '../../ib/link.js';
import { createPacer, type Pacer, type PacingOptions } from '../../ib/pacing.js';
import type { IbPool } from '../../ib/pool.js';
import type { IbPoolOptions } from '../../ib/pool-options.js';
import type { ScenarioName } from './names.js';

/** A way to break the pool on purpose: a scenario that cannot fail proves nothing. */
export interface Breakage {
  /** The defect of the pool. */
  readonly what: string;
  readonly pacing?: PacingOptions;
  readonly pool?: (options: Sound) => Sound;
  /** Changes the pool that was made of them. */
  readonly made?: (pool: IbPool) => void;
  /** Ends what the broken pool leaves behind. */
  readonly end?: () => Promise<void>;
}

/** Pool options whose connections have a place that can be looked at. */
export type Sound = IbPoolOptions & { readonly line: () => Line };

/** For each scenario the pool that it has to fail on. Made anew for each run. */
export const BREAKAGES: Readonly<Record<ScenarioName, () => Breakage>> = {
  'connect-storm': sameIds,
  'client-cap': () => ({
    what: 'believes that a gateway serves 64 clients',
    pool: (options) => ({ ...options, clientIds: new ClientIds({ base: options.clientId ?? 1, most: 64 }) }),
  }),
  'id-collision': sameIds,
  'id-reconnect': () => ({
    what: 'takes the next client id at each reconnect',
    pool: withLine((line) => {
      let attempts = 0;
      return opening(line, (target, hear) =>
        line.open({ ...target, clientId: target.clientId + attempts++ }, hear),
      );
    }),
  }),
  'drop-mid-request': () => ({
    what: 'sends an order again that had no answer',
    pool: withLine(repeatingOrders),
  }),
  'half-open': () => ({
    what: 'never asks whether the gateway is still there',
    pool: (options) => ({ ...options, heartbeatMs: 1e9 }),
  }),
  'silent-handshake': () => ({
    what: 'waits for ever for the handshake',
    pool: (options) => ({ ...options, handshakeTimeoutMs: 1e9 }),
  }),
  'slow-gateway': () => ({
    what: 'takes a gateway for dead that does not answer within 20 ms',
    pool: (options) => ({ ...options, heartbeatMs: 1000, heartbeatTimeoutMs: 20 }),
  }),
  'nightly-reset': () => ({ what: 'hangs up at a 1100', pool: withLine(hangingUpAt(1100)) }),
  'auto-restart': () => ({
    what: 'reconnects at once, all connections together',
    pool: (options) => ({ ...options, random: () => 0 }),
  }),
  'farm-flap': () => ({ what: 'hangs up at a 2103', pool: withLine(hangingUpAt(2103)) }),
  'message-pacing': () => ({ what: 'has its limiter off', pacing: { enabled: false } }),
  'history-pacing': () => ({ what: 'knows no limits for history', pacing: { history: false } }),
  'request-timeout': () => ({
    what: 'does not cancel what it gave up',
    pool: withLine(withoutCalls((method) => method === 'cancelHistoricalData')),
  }),
  'subscription-leak': () => {
    let cancels = 0;
    return {
      what: 'forgets each 100th cancel',
      pool: withLine(withoutCalls((method) => method === 'cancelMktData' && ++cancels % 100 === 0)),
    };
  },
  'big-history': () => ({
    what: 'blames the gateway for its own blocked loop',
    pool: withLine((line) =>
      opening(line, (target, hear) => ({
        ...line.open(target, hear),
        afterArrived: (callback) => callback(),
      })),
    ),
  }),
  'bad-input': () => ({
    what: 'does not hear that the port has moved',
    pool: withLine((line) =>
      opening(line, (target, hear) =>
        line.open(target, (event, args) => {
          if (event !== 'info' || Number(args[1]) !== 1300) hear(event, args);
        }),
      ),
    ),
  }),
  shutdown: neverHangingUp,
  'order-life': () => ({
    what: 'never sends a cancel',
    pool: withLine(withoutCalls((method) => method === 'cancelOrder')),
  }),
  'order-restart': () => ({
    what: 'takes a list of orders for empty, and asks nothing',
    pool: withLine(withoutOrderLists),
  }),
  'urgent-first': () => ({
    what: 'sends orders in their turn',
    pool: (options) => ({ ...options, ...(options.pacer !== undefined && { pacer: inTurn(options.pacer) }) }),
  }),
  'fresh-history': () => ({
    what: 'keeps the first answer to a request for history for ever',
    pool: withLine(keepingHistories),
  }),
  'waiters-at-close': () => ({ what: 'forgets those who wait when it is closed', made: forgetWaiters }),
  'shared-budget': () => ({
    what: 'paces each process by itself',
    pool: (options) => ({
      ...options,
      pacer: createPacer(options.clock === undefined ? {} : { clock: options.clock }),
    }),
  }),
  listeners: () => ({ what: 'lets one listener that throws stop the others', made: chainListeners }),
  'replay-requests': () => ({
    what: 'loses every tenth message',
    pool: withLine((line) => {
      let calls = 0;
      return withoutCalls(() => ++calls % 10 === 0)(line);
    }),
  }),
  'replay-pacing': () => ({ what: 'allows one message more', pacing: { limitPerSecond: 51 } }),
  'replay-connections': () => ({
    what: 'waits a millisecond longer for a handshake',
    pool: (options) => ({ ...options, handshakeTimeoutMs: (options.handshakeTimeoutMs ?? 10_000) + 1 }),
  }),
  'replay-pool': () => ({
    what: 'lets its callers wait a millisecond longer',
    pool: (options) => ({ ...options, acquireTimeoutMs: (options.acquireTimeoutMs ?? 30_000) + 1 }),
  }),
  'replay-orders': () => ({
    what: 'sends an order again that had no answer',
    pool: withLine(repeatingOrders),
  }),
  advisories: () => ({
    what: 'takes an advisory for a refusal',
    pool: withLine((line) =>
      opening(line, (target, hear) =>
        line.open(target, (event, args) => {
          const isAdvisory = event === 'error' && (args[1] === 10197 || args[1] === 10090);
          hear(event, isAdvisory ? [args[0], 354, ...args.slice(2)] : args);
        }),
      ),
    ),
  }),
};

function sameIds(): Breakage {
  return {
    what: 'gives every connection the same client id',
    pool: (options) => ({ ...options, clientIds: new SameId(options.clientIds?.base ?? options.clientId) }),
  };
}

class SameId extends ClientIds {
  constructor(base = 1) {
    super({ base });
  }

  override take(): number {
    return this.base;
  }
}

function withLine(broken: (line: Line) => Line): NonNullable<Breakage['pool']> {
  return (options) => ({ ...options, line: () => broken(options.line()) });
}

/** The same place, but for how connections are opened there. */
function opening(line: Line, open: Line['open']): Line {
  return { prepare: () => line.prepare(), open, end: () => line.end() };
}

function withoutCalls(isLost: (method: string) => boolean): (line: Line) => Line {
  return (line) =>
    opening(line, (target, hear) => {
      const link = line.open(target, hear);
      return { ...link, call: (method, args) => (isLost(method) ? undefined : link.call(method, args)) };
    });
}

/** As clients do that take the gateway's own trouble for theirs. */
function hangingUpAt(code: number): (line: Line) => Line {
  return (line) =>
    opening(line, (target, hear) =>
      line.open(target, (event, args) => {
        hear(event, args);
        if (event === 'info' && Number(args[1]) === code) hear('broken', [`code ${code}`, false]);
      }),
    );
}

function repeatingOrders(line: Line): Line {
  const unanswered = new Map<number, readonly unknown[]>();
  return opening(line, (target, hear) => {
    const link = line.open(target, (event, args) => {
      hear(event, args);
      if (event === 'orderStatus') unanswered.delete(Number(args[0]));
      if (event !== 'nextValidId') return;
      for (const order of unanswered.values()) void link.call('placeOrder', order);
    });
    return {
      ...link,
      call(method, args) {
        if (method === 'placeOrder') unanswered.set(Number(args[0]), args);
        return link.call(method, args);
      },
    };
  });
}

/** As a pool that forgets its connections when it is closed. */
function neverHangingUp(): Breakage {
  const ends: (() => Promise<void>)[] = [];
  return {
    what: 'leaves its connections open when it is closed',
    pool: withLine((line) => ({
      prepare: () => line.prepare(),
      open(target, hear) {
        const link = line.open(target, hear);
        ends.push(async () => {
          link.close();
          await line.end();
        });
        return { ...link, close: ignore };
      },
      end: async () => {},
    })),
    async end() {
      await Promise.all(ends.map((end) => end()));
    },
  };
}

/** The pacing of a pool that knows no urgent messages. */
function inTurn(pacer: Pacer): Pacer {
  return {
    send: (message, transmit, signal) =>
      pacer.send(message.kind === 'urgent' ? { kind: 'request' } : message, transmit, signal),
    snapshot: () => pacer.snapshot(),
  };
}

/** Answers requests for lists of orders itself: there are none. */
function withoutOrderLists(line: Line): Line {
  return opening(line, (target, hear) => {
    const link = line.open(target, (event, args) => {
      // Ids that come unasked are lost, too.
      if (event !== 'openOrder') hear(event, args);
    });
    const ends: Readonly<Record<string, string>> = {
      reqOpenOrders: 'openOrderEnd',
      reqAllOpenOrders: 'openOrderEnd',
      reqExecutions: 'execDetailsEnd',
      reqCompletedOrders: 'completedOrdersEnd',
    };
    return {
      ...link,
      call(method, args) {
        const end = ends[method];
        if (end === undefined) return link.call(method, args);
        link.afterArrived(() => hear(end, args.slice(0, 1)));
        return undefined;
      },
    };
  });
}

/** Gives the bars of the first answer again, whenever the same is asked. */
function keepingHistories(line: Line): Line {
  const kept = new Map<string, (readonly unknown[])[]>();
  return opening(line, (target, hear) => {
    const asked = new Map<number, (readonly unknown[])[]>();
    const link = line.open(target, (event, args) => {
      if (event === 'historicalData') asked.get(Number(args[0]))?.push(args.slice(1));
      hear(event, args);
    });
    return {
      ...link,
      call(method, args) {
        if (method !== 'reqHistoricalData') return link.call(method, args);
        const [id, ...query] = args;
        const key = JSON.stringify(query);
        const bars = kept.get(key);
        if (bars === undefined || bars.length === 0) {
          const fresh: (readonly unknown[])[] = [];
          kept.set(key, fresh);
          asked.set(Number(id), fresh);
          return link.call(method, args);
        }
        link.afterArrived(() => {
          for (const bar of bars) hear('historicalData', [id, ...bar]);
        });
        return undefined;
      },
    };
  });
}

function forgetWaiters(pool: IbPool): void {
  const acquire = pool.acquire.bind(pool);
  pool.acquire = (options) =>
    new Promise((resolve, reject) => {
      acquire(options).then(resolve, (error: unknown) => {
        if (!(error instanceof IbError) || error.code !== 'ERR_IB_CLOSED') reject(error);
      });
    });
}

/** Makes one listener of all that follow the same contract. */
function chainListeners(pool: IbPool): void {
  const acquire = pool.acquire.bind(pool);
  pool.acquire = async (options) => {
    const lease = await acquire(options);
    const { connection } = lease;
    const subscribe = connection.subscribe.bind(connection);
    const chains = new Map<string, ((tick: Tick) => void)[]>();
    connection.subscribe = (contract, listener, given) => {
      const key = JSON.stringify(contract);
      const chain = chains.get(key);
      if (chain !== undefined) {
        chain.push(listener);
        return { close: ignore, [Symbol.dispose]: ignore };
      }
      const own = [listener];
      chains.set(key, own);
      const tell = (tick: Tick): void => {
        for (const one of own) one(tick);
      };
      return subscribe(contract, tell, given);
    };
    return lease;
  };
}
