import { IbError } from '../../../../ib/errors.js';
import { AAPL, figures, LIMIT } from '../contracts.js';
import type { Act } from '../stage.js';

/** Loading the library, ending a connection, and messages that go by a thread take their time. */
export const waits: readonly Act[] = [
  {
    name: 'closed while the library is being loaded, which fails afterwards, or does not',
    async play(s) {
      const error = new IbError('ERR_IB_PACKAGE', 'not installed');
      for (const [at, prepare] of [
        () => s.failing(error, 100),
        () => s.failing(new Error('crashed'), 100),
        () => s.later(100),
      ].entries()) {
        s.manners.onPrepare = prepare;
        const c = s.connection({ clientId: at, firstAttempts: 3 });
        s.watch('ready', c.ready());
        await s.pass(50);
        s.watch('closed', c.close());
        await s.pass(200);
        s.attempt('state', () => c.state.kind);
        figures(s, c);
      }
      s.timers();
    },
  },
  {
    name: 'a library that takes long to load is no part of the handshake',
    async play(s) {
      s.manners.onPrepare = () => s.later(5000);
      const c = s.connection({ handshakeTimeoutMs: 1000, reconnectMs: 10 });
      s.watch('ready', c.ready());
      await s.pass(5000);
      await s.pass(900);
      s.welcome();
      await s.pass(10);
      s.drop();
      await s.pass(5500);
      s.drop();
      await s.pass(5500);
      s.welcome();
      await s.pass(10);
      figures(s, c);
    },
  },
  {
    name: 'a connection that takes long to end: its client id is not free before, and nobody gets its place',
    async play(s) {
      s.manners.onEnd = () => s.later(300);
      const pool = s.pool({ topology: 'worker', workers: 1, idleMs: 100 });
      s.watch(
        'a',
        pool.withIb((ib) => ib.clientId),
      );
      await s.pass();
      s.welcome();
      await s.pass(150);
      s.note(`${pool.snapshot().live} live, ${pool.snapshot().ib.clientIdsFree} ids free`);
      s.timers();
      s.watch(
        'b',
        pool.withIb((ib) => ib.clientId),
      );
      await s.pass(100);
      s.note(`${pool.snapshot().waiting} waiting`);
      await s.pass(200);
      s.welcome();
      await s.pass(10);
      s.timers();
      s.note(`${pool.snapshot().live} live, ${pool.snapshot().ib.clientIdsFree} ids free`);
      s.watch('closed', pool.close());
      await s.pass(299);
      s.note(`${pool.snapshot().live} live, ${pool.snapshot().ib.clientIdsFree} ids free`);
      await s.pass(10);
      s.timers();
    },
  },
  {
    name: 'two of four connections end while callers wait',
    async play(s) {
      s.manners.onEnd = () => s.later(500);
      const pool = s.pool({ topology: 'worker', workers: 3, idleMs: 100 });
      s.watch('warm', pool.warm(2));
      await s.pass();
      for (const line of [0, 1]) s.welcome({}, s.linkOf(line));
      await s.pass(150);
      // poolctl-ignore-next-line leak -- the session ends with its simulated gateway, and compares the waits before that
      for (const name of ['a', 'b', 'c']) s.watch(name, pool.acquire());
      await s.pass(10);
      s.note(
        `${pool.snapshot().live} live, ${pool.snapshot().waiting} waiting, ${pool.snapshot().creating} creating`,
      );
      await s.pass(600);
      s.note(
        `${pool.snapshot().live} live, ${pool.snapshot().waiting} waiting, ${pool.snapshot().creating} creating`,
      );
    },
  },
  {
    name: 'answers while the messages go by a thread, and heartbeats that wait for it',
    async play(s) {
      s.manners.onCall = () => s.later(40);
      const c = await s.ready({ heartbeatMs: 1000, heartbeatTimeoutMs: 500, reconnectMs: 10 });
      s.watch('details', c.contractDetails(AAPL));
      const o = s.follow('o', c.placeOrder(AAPL, LIMIT));
      await s.pass(20);
      s.say('contractDetailsEnd', s.idOf('reqContractDetails'));
      s.say('orderStatus', 5, 'Submitted', 0, 100, 0, 9, 0, 0, 1, '', 0);
      await s.pass(30);
      s.watch('cancel', o.cancel());
      await s.pass(1000);
      s.say('currentTime', 4);
      await s.pass(2000);
      figures(s, c);
      s.timers();
    },
  },
];
