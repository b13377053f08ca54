import { ClientIds } from '../../../../ib/client-ids.js';
import { createIbPool, type IbPoolOptions } from '../../../../ib/pool.js';
import { AAPL, bars, DAYS, LIMIT } from '../contracts.js';
import { leasesOf, show } from '../pool-kit.js';
import { type Act, render } from '../stage.js';

/** Leases, waiters, connections that come and go. */
export const pools: readonly Act[] = [
  {
    name: 'one connection for all: opened once, shared, given back',
    async play(s) {
      const pool = s.pool({ clientId: 3 });
      show(s, pool);
      s.watch('nobody waits', pool.warm(0));
      const leases = leasesOf(s, pool);
      leases.take('a');
      leases.take('b');
      show(s, pool);
      await s.pass(100);
      s.welcome();
      await s.pass(20);
      show(s, pool);
      leases.take('c');
      await s.pass(30);
      show(s, pool);
      leases.give('a');
      leases.give('a');
      s.watch(
        'work',
        pool.withIb((ib) => ib.clientId),
      );
      s.watch(
        'work that fails',
        pool.withIb(() => Promise.reject(new Error('its own'))),
      );
      await s.pass(60_000);
      show(s, pool);
      leases.give('b');
      leases.give('c');
      show(s, pool);
      await s.pass(100_000);
      s.drop();
      leases.take('d');
      await s.pass();
      show(s, pool);
    },
  },
  {
    name: 'a connection for each worker: those beyond wait, in their order',
    async play(s) {
      const pool = s.pool({ topology: 'worker', workers: 2, acquireTimeoutMs: 1000, name: 'two' });
      const leases = leasesOf(s, pool);
      for (const name of ['a', 'b', 'c', 'd', 'e']) leases.take(name);
      await s.pass(10);
      show(s, pool);
      for (const line of [0, 1]) s.welcome({}, s.linkOf(line));
      await s.pass(10);
      show(s, pool);
      leases.give('a');
      await s.pass(10);
      leases.take('f', { timeoutMs: 200 });
      leases.take('g', { timeoutMs: null });
      await s.pass(150);
      leases.give('b');
      await s.pass(60);
      show(s, pool);
      await s.pass(1000);
      show(s, pool);
      leases.give('c');
      leases.give('d');
      await s.pass(5);
      show(s, pool);
      for (const name of ['e', 'g']) leases.give(name);
      await s.pass();
      show(s, pool);
      s.timers();
    },
  },
  {
    name: 'the time to wait for a lease by default',
    async play(s) {
      const pool = s.pool({ topology: 'worker', workers: 1 });
      const leases = leasesOf(s, pool);
      leases.take('a');
      await s.pass();
      s.welcome();
      await s.pass();
      leases.take('b');
      leases.take('c', { timeoutMs: 40_000 });
      await s.pass(29_999);
      show(s, pool);
      await s.pass(2);
      show(s, pool);
      await s.pass(20_000);
      show(s, pool);
      const patient = s.pool({ topology: 'worker', workers: 1, acquireTimeoutMs: null, clientId: 5 });
      const others = leasesOf(s, patient);
      others.take('x');
      await s.pass();
      s.welcome();
      others.take('y');
      await s.pass(1e7);
      s.timers();
      show(s, patient);
      others.give('x');
      await s.pass();
      s.timers();
    },
  },
  {
    name: 'callers that give up, before and while they wait',
    async play(s) {
      const pool = s.pool({ topology: 'worker', workers: 1 });
      const leases = leasesOf(s, pool);
      const aborts = [0, 1, 2, 3].map(() => new AbortController());
      const leave = (at: number): void => aborts[at]?.abort(new Error(`left ${at}`));
      leave(0);
      leases.take('gone', { signal: (aborts[0] as AbortController).signal });
      leases.take('first', { signal: (aborts[1] as AbortController).signal });
      leases.take('second', { signal: (aborts[2] as AbortController).signal });
      leases.take('third');
      await s.pass(10);
      leave(1);
      await s.pass(10);
      show(s, pool);
      s.welcome();
      await s.pass(10);
      show(s, pool);
      leases.take('fourth', { signal: (aborts[3] as AbortController).signal });
      await s.pass(10);
      leave(3);
      await s.pass(10);
      show(s, pool);
      leases.give('second');
      leave(2);
      await s.pass(10);
      leases.give('third');
      await s.pass();
      show(s, pool);
      s.timers();
    },
  },
  {
    name: 'a caller that gives up in the moment in which it is called passes its turn on',
    async play(s) {
      const pool = s.pool({ topology: 'worker', workers: 1 });
      const leases = leasesOf(s, pool);
      const abort = new AbortController();
      leases.take('holder');
      await s.pass();
      s.welcome();
      await s.pass();
      leases.take('called', { signal: abort.signal });
      leases.take('behind');
      await s.pass();
      leases.give('holder');
      abort.abort(new Error('left'));
      await s.pass(10);
      show(s, pool);
    },
  },
  {
    name: 'a first connect that fails: told, its id is free, and the next one waiting tries',
    async play(s) {
      const pool = s.pool({
        topology: 'worker',
        workers: 1,
        clientIds: new ClientIds({ base: 40, most: 1 }),
      });
      const leases = leasesOf(s, pool);
      for (const name of ['a', 'b', 'c']) leases.take(name);
      await s.pass(10);
      s.drop();
      await s.pass(10);
      show(s, pool);
      s.info(326);
      await s.pass(10);
      show(s, pool);
      s.welcome();
      await s.pass(10);
      show(s, pool);
      s.watch('warm', pool.warm(5));
      await s.pass();
    },
  },
  {
    name: 'no client id is left',
    async play(s) {
      const clientIds = new ClientIds({ base: 7, most: 2 });
      const pool = s.pool({ topology: 'worker', workers: 3, clientIds });
      const other = s.pool({ clientIds });
      const leases = leasesOf(s, pool);
      for (const name of ['a', 'b', 'c']) leases.take(name);
      s.watch('of another pool', other.acquire());
      s.watch('warm', pool.warm());
      await s.pass();
      for (const line of [0, 1]) s.welcome({}, s.linkOf(line));
      await s.pass();
      show(s, pool);
      leases.give('a');
      leases.take('d');
      await s.pass();
      show(s, pool);
      show(s, other);
    },
  },
  {
    name: 'opened ahead',
    async play(s) {
      const pool = s.pool({ topology: 'worker', workers: 3 });
      s.watch('warm', pool.warm(2));
      await s.pass(10);
      for (const line of [0, 1]) s.welcome({}, s.linkOf(line));
      await s.pass(10);
      show(s, pool);
      s.watch('warm all', pool.warm());
      s.watch('warm again', pool.warm(9));
      await s.pass(10);
      show(s, pool);
      const leases = leasesOf(s, pool);
      s.linkOf(0).say('disconnected');
      leases.take('a');
      leases.take('b');
      await s.pass(10);
      show(s, pool);
      leases.take('c');
      s.linkOf(2).say('disconnected');
      await s.pass(20_000);
      show(s, pool);
    },
  },
  {
    name: 'connections that nobody uses are closed, unless something goes on there',
    async play(s) {
      const pool = s.pool({ topology: 'worker', workers: 2, idleMs: 1000 });
      const leases = leasesOf(s, pool);
      leases.take('a');
      leases.take('b');
      await s.pass();
      for (const line of [0, 1]) s.welcome({}, s.linkOf(line));
      await s.pass();
      const stream = leases.get('b').connection.subscribe(AAPL, () => undefined);
      leases.give('a');
      leases.give('b');
      await s.pass(600);
      leases.take('c');
      await s.pass(10);
      leases.give('c');
      await s.pass(999);
      show(s, pool);
      await s.pass(1);
      show(s, pool);
      await s.pass(5000);
      stream.close();
      await s.pass(990);
      show(s, pool);
      await s.pass(10);
      show(s, pool);
      await s.pass(1000);
      show(s, pool);
      s.watch('warm', pool.warm(1));
      await s.pass();
      s.welcome();
      await s.pass(1000);
      show(s, pool);
      leases.take('d');
      await s.pass();
      s.welcome();
      await s.pass(10);
      const order = leases.get('d').connection.placeOrder(AAPL, LIMIT);
      await s.pass();
      leases.give('d');
      await s.pass(1500);
      show(s, pool);
      s.say('orderStatus', order.id, 'Cancelled', 0, 100, 0, 1, 0, 0, 1, '', 0);
      await s.pass(2500);
      show(s, pool);
      s.timers();
    },
  },
  {
    name: 'closed with leases out: they have their time',
    async play(s) {
      const pool = s.pool({ topology: 'worker', workers: 1 });
      const leases = leasesOf(s, pool);
      leases.take('a');
      await s.pass();
      s.welcome();
      await s.pass();
      leases.take('waiting');
      leases.take('waiting too');
      await s.pass();
      s.watch('closed', pool.close());
      s.watch('closed again', pool.close({ graceMs: 1 }));
      leases.take('late');
      await s.pass(10);
      show(s, pool);
      await s.pass(4000);
      leases.give('a');
      await s.pass(10);
      show(s, pool);
      s.timers();
      const other = s.pool({ clientId: 9 });
      const held = leasesOf(s, other);
      held.take('b');
      await s.pass();
      s.welcome();
      await s.pass();
      s.watch('asked', held.get('b').connection.currentTime());
      s.watch('closed', other.close());
      await s.pass(4999);
      show(s, other);
      await s.pass(1);
      held.give('b');
      show(s, other);
      const third = s.pool({ clientId: 10 });
      const last = leasesOf(s, third);
      last.take('c');
      s.watch('closed', third.close({ graceMs: 0 }));
      await s.pass(5);
      show(s, third);
      const fourth = s.pool({ clientId: 11 });
      s.watch('closed', fourth[Symbol.asyncDispose]());
      await s.pass();
      show(s, fourth);
      s.timers();
    },
  },
  {
    name: 'closed while connections are being opened',
    async play(s) {
      const pool = s.pool({ topology: 'worker', workers: 2 });
      const leases = leasesOf(s, pool);
      leases.take('a');
      await s.pass();
      s.watch('closed', pool.close());
      s.welcome();
      await s.pass(5);
      show(s, pool);
      s.timers();
    },
  },
  {
    name: 'a history is shared by all connections of a pool',
    async play(s) {
      const pool = s.pool({ topology: 'worker', workers: 2 });
      const leases = leasesOf(s, pool);
      leases.take('a');
      leases.take('b');
      await s.pass();
      for (const line of [0, 1]) s.welcome({}, s.linkOf(line));
      await s.pass();
      const [a, b] = [leases.get('a').connection, leases.get('b').connection];
      s.watch('a', a.historicalData(DAYS));
      s.watch('b', b.historicalData(DAYS));
      await s.pass(5);
      show(s, pool);
      s.watch('a closed', a.close());
      await s.pass(5);
      bars(s, s.idOf('reqHistoricalData'));
      await s.pass(5);
      show(s, pool);
    },
  },
  {
    name: 'options that make no sense',
    async play(s) {
      const wrong: readonly object[] = [
        { workers: 0 },
        { workers: 1.5 },
        { port: 0 },
        { port: 65_536 },
        { port: 65_535 },
        { port: 1.5 },
        { max: 3 },
        { marketDataType: 'late' },
        { clientId: -1 },
        { clientId: 2 ** 31 - 32 },
        { clientId: 2 ** 31 - 31 },
        { heartbeatMs: '1' },
        { pacing: { limitPerSecond: 0 } },
        { line: 1 },
        { acquireTimeoutMs: 'never' },
        { topology: 'shared', workers: 4 },
      ];
      for (const options of wrong) {
        s.attempt(render(options), () => {
          const pool = createIbPool({ clock: s.clock, ...options } as IbPoolOptions);
          const { name, setup, driver, size } = pool.snapshot();
          return { name, setup, driver, size };
        });
      }
      s.attempt('by default', () => createIbPool().snapshot().ib);
      s.attempt(
        'its setup',
        () => createIbPool({ acquireTimeoutMs: null, idleMs: 5, leakMs: 7 }).snapshot().setup,
      );
    },
  },
  {
    name: 'a connection that is ready is lent before one that reconnects',
    async play(s) {
      for (const lost of [0, 1, 2]) {
        const clientId = 10 * (lost + 1);
        const before = s.lines.length;
        const pool = s.pool({ topology: 'worker', workers: 3, clientId, reconnectMs: 60_000 });
        s.watch('warm', pool.warm());
        await s.pass();
        for (const line of [0, 1, 2]) s.welcome({}, s.linkOf(before + line));
        await s.pass(10);
        s.linkOf(before + lost).say('disconnected');
        await s.pass();
        const leases = leasesOf(s, pool);
        for (const name of ['a', 'b', 'c']) leases.take(`${name} of ${lost}`);
        await s.pass();
        show(s, pool);
        for (const name of ['c', 'a', 'b']) leases.give(`${name} of ${lost}`);
        leases.take(`d of ${lost}`);
        await s.pass();
        show(s, pool);
      }
    },
  },
];
