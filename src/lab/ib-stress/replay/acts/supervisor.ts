import { IbError } from '../../../../ib/errors.js';
import { AAPL, figures } from '../contracts.js';
import type { Act, Stage } from '../stage.js';

/** Connecting, staying connected, and coming back. */
export const supervisor: readonly Act[] = [
  {
    name: 'the first connect: what each way to fail is told as',
    async play(s) {
      const ways: readonly ((s: Stage) => void)[] = [
        () => s.drop(),
        () => {
          s.say('error', 'connect ECONNREFUSED 127.0.0.1:1', 502, -1);
          s.drop();
        },
        () => s.say('broken', 'its first frame is too long', true),
        () => s.say('broken', 'it is of no use', false),
        () => s.info(326, 'Unable to connect as the client id is already in use.'),
        () => s.say('error', 'Server version 300 is not supported', 506, -1),
        () => s.say('error', 'Server version 76 is too old', 503, -1),
        () => s.say('server', 'no number', 'now'),
        () => s.say('tcp'),
        () => {
          s.say('tcp');
          s.say('server', 176, 'now');
        },
        () => {
          s.say('tcp');
          s.say('server', 176, 'now');
          s.say('nextValidId', 9);
          s.error(-1, 505, 'unreadable');
          s.info(2104);
        },
        () => undefined,
      ];
      for (const [at, way] of ways.entries()) {
        const c = s.connection({ clientId: at, handshakeTimeoutMs: 3000 });
        s.watch('ready', c.ready());
        await s.pass(5);
        way(s);
        await s.pass(5);
        s.attempt('state', () => c.state.kind);
        await s.pass(4000);
        s.watch('ready again', c.ready());
        s.watch('asked', c.currentTime());
        await s.pass();
        figures(s, c);
        s.timers();
      }
    },
  },
  {
    name: 'the package is missing, or does not load',
    async play(s) {
      const missing = new IbError('ERR_IB_PACKAGE', 'not installed', { hint: 'npm install' });
      s.manners.onPrepare = () => Promise.reject(missing);
      s.watch('missing', s.connection({ firstAttempts: 4 }).ready());
      await s.pass(10);
      s.manners.onPrepare = () => Promise.reject(new Error('a thread that crashed'));
      s.watch('crashed', s.connection({ firstAttempts: 3 }).ready());
      await s.pass(2000);
    },
  },
  {
    name: 'several attempts at the first connect, and a client id that is taken ends them',
    async play(s) {
      const c = s.connection({ firstAttempts: 3, reconnectMs: 100 });
      s.watch('ready', c.ready());
      for (let at = 0; at < 4; at++) {
        await s.pass(500);
        s.drop();
      }
      await s.pass(500);
      const other = s.connection({ clientId: 2, firstAttempts: 3 });
      s.watch('ready', other.ready());
      await s.pass(500);
      s.drop();
      await s.pass(500);
      s.info(326);
      await s.pass(500);
      const third = s.connection({ clientId: 3, firstAttempts: 2 });
      s.watch('ready', third.ready());
      s.watch('ready too', third.ready());
      await s.pass(500);
      s.drop();
      await s.pass(500);
      s.welcome({ nextOrderId: 7 });
      await s.pass();
      figures(s, third);
    },
  },
  {
    name: 'reconnects: the waits grow, up to their limit, and begin anew after a good session',
    async play(s) {
      const c = await s.ready({ reconnectMs: 100, reconnectMostMs: 1500 });
      await s.pass(2000);
      s.drop();
      for (let at = 0; at < 7; at++) {
        await s.pass(1600);
        s.drop();
      }
      await s.pass(1600);
      s.welcome();
      await s.pass(999);
      s.drop();
      await s.pass(1600);
      s.welcome();
      await s.pass(1000);
      s.drop();
      await s.pass(1600);
      s.info(326);
      await s.pass(1600);
      s.say('error', 'Server version 76 is too old', 503, -1);
      await s.pass(1600);
      s.say('broken', 'garbage', true);
      await s.pass(1600);
      s.welcome();
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'waits by default',
    async play(s) {
      const c = await s.ready();
      s.drop();
      for (let at = 0; at < 10; at++) {
        await s.pass(5001);
        s.drop();
      }
      await s.pass(6000);
      s.timers();
      await s.pass(10_001);
      figures(s, c);
    },
  },
  {
    name: 'why a connection was closed',
    async play(s) {
      const c = await s.ready({ reconnectMs: 10 });
      s.say('error', 'read ECONNRESET', 502, -1);
      s.error(-1, 505, 'unreadable');
      s.error(12, 505, 'unreadable');
      s.say('error', 'text', 100, 2_147_483_647);
      s.drop();
      s.drop();
      await s.pass(100);
      s.say('error', 'connect ECONNREFUSED', 502, -1);
      s.drop();
      await s.pass(100);
      s.welcome();
      await s.pass(10);
      s.drop();
      await s.pass(100);
      s.welcome();
      await s.pass(10);
      s.say('broken', 'a length that cannot be', false);
      await s.pass(100);
      figures(s, c);
    },
  },
  {
    name: 'the link of the gateway to IB',
    async play(s) {
      const c = await s.ready({ reconnectMs: 10 });
      for (const code of [2103, 1100, 1100, 2110, 2104, 1102, 1102, 1101, 2110, 1101, 1100]) {
        s.info(code, `text ${code}`);
        s.attempt(`upstream after ${code}`, () => c.figures().upstream);
      }
      s.drop();
      s.attempt('upstream without a session', () => c.figures().upstream);
      await s.pass(100);
      s.welcome();
      s.attempt('upstream of a new session', () => c.figures().upstream);
      figures(s, c);
    },
  },
  {
    name: 'the port moves',
    async play(s) {
      const c = await s.ready({ reconnectMs: 10 });
      for (const text of [
        'moved to 7',
        'moved to 99999',
        'moved',
        'TWS socket port has been reset: port 4002.',
        'to 65535',
      ]) {
        s.info(1300, text);
        s.attempt(`port after '${text}'`, () => c.figures().port);
      }
      s.info(1300, 'to 65536');
      s.info(1301, 'to 4444');
      s.drop();
      await s.pass(100);
      s.welcome();
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'heartbeats: asked after silence, and answered',
    async play(s) {
      const c = await s.ready({ heartbeatMs: 5000, heartbeatTimeoutMs: 2000, reconnectMs: 10 });
      await s.pass(4999);
      s.say('currentTime', 1);
      await s.pass(4999);
      s.say('tickPrice', 1, 1, 1);
      await s.pass(1);
      await s.pass(1999);
      s.say('currentTime', 2);
      await s.pass(10_000);
      s.say('tickPrice', 1, 1, 1);
      await s.pass(10_000);
      figures(s, c);
      s.welcome();
      await s.pass(6999.9);
      await s.pass(1);
      figures(s, c);
      s.timers();
    },
  },
  {
    name: 'heartbeats by default, and while the pacing holds them back',
    async play(s) {
      const c = await s.ready({
        heartbeatMs: 5000,
        heartbeatTimeoutMs: 5000,
        pacing: { limitPerSecond: 1, messagesPerSecond: 1, urgentPerSecond: 1 },
      });
      await s.pass(4500);
      for (let at = 0; at < 4; at++) s.watch(`time ${at}`, c.currentTime({ timeoutMs: 500 }));
      await s.pass(12_000);
      figures(s, c);
    },
  },
  {
    name: 'a loop that stood still is no fault of the gateway',
    async play(s) {
      const arrived: (() => void)[] = [];
      s.manners.onArrived = (callback) => void arrived.push(callback);
      const c = await s.ready({ heartbeatMs: 1000, heartbeatTimeoutMs: 1000, reconnectMs: 10 });
      await s.pass(1500);
      s.clock.block(5000);
      await s.pass();
      figures(s, c);
      for (const one of arrived.splice(0)) one();
      await s.pass(998);
      figures(s, c);
      await s.pass(1);
      for (const one of arrived.splice(0)) one();
      await s.pass(10);
      figures(s, c);
      s.welcome();
      await s.pass(2000);
      s.say('currentTime', 3);
      for (const one of arrived.splice(0)) one();
      await s.pass(2000);
      for (const one of arrived.splice(0)) s.clock.setTimer(one, 400);
      await s.pass(1000);
      s.welcome();
      await s.pass(2000);
      await s.pass(130_000);
      figures(s, c);
    },
  },
  {
    name: 'closed in every state',
    async play(s) {
      const never = s.connection({ clientId: 1 });
      s.watch('closed', never.close());
      s.watch('closed again', never.close());
      s.watch('ready', never.ready());
      await s.pass();
      const dialing = s.connection({ clientId: 2 });
      s.watch('ready', dialing.ready());
      s.watch('closed', dialing.close());
      await s.pass();
      const shaking = s.connection({ clientId: 3 });
      s.watch('ready', shaking.ready());
      await s.pass();
      s.say('tcp');
      s.say('server', 176, 'now');
      s.watch('closed', shaking.close());
      s.welcome();
      await s.pass();
      s.attempt('state', () => shaking.state.kind);
      const waiting = await s.ready({ clientId: 4, reconnectMs: 1000 });
      s.drop();
      s.watch('ready', waiting.ready());
      await s.pass(1);
      s.watch('closed', waiting.close());
      await s.pass(5000);
      const on = await s.ready({ clientId: 5 });
      s.watch('asked', on.currentTime());
      await s.pass();
      s.watch('closed', on.close());
      s.drop();
      s.say('currentTime', 1);
      await s.pass(5000);
      s.attempt('sent afterwards', () => on.raw.nextId());
      figures(s, on);
      s.timers();
    },
  },
  {
    name: 'connecting counts as a message, and waits for the pacing',
    async play(s) {
      const pacer = s.pacer({ limitPerSecond: 2, messagesPerSecond: 2, urgentPerSecond: 2 });
      const all = [1, 2, 3, 4].map((clientId) => s.connection({ clientId, pacer, handshakeTimeoutMs: 500 }));
      for (const c of all) s.watch('ready', c.ready());
      await s.pass(100);
      s.watch('closed', (all[3] as (typeof all)[number]).close());
      await s.pass(3000);
    },
  },
  {
    name: 'what the last session says is not heard in the next',
    async play(s) {
      const c = await s.ready({ reconnectMs: 10 });
      const old = s.link;
      s.drop();
      await s.pass(50);
      old.say('managedAccounts', 'DU9');
      old.say('nextValidId', 99);
      s.say('nextValidId', 12);
      s.say('managedAccounts', 'DU1,DU2,');
      await s.pass();
      s.watch('accounts', c.managedAccounts());
      s.watch('next id', c.nextOrderId());
      s.watch('details', c.contractDetails(AAPL));
      await s.pass();
      old.say('contractDetailsEnd', s.idOf('reqContractDetails'));
      await s.pass();
      figures(s, c);
    },
  },
];
