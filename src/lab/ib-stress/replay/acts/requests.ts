import { AAPL, bars, DAYS, details, figures, LIMIT, MSFT } from '../contracts.js';
import type { Act } from '../stage.js';

const MINUTES = { contract: AAPL, duration: '600 S', barSize: '30 secs' };

/** Deadlines, losses, retries, refusals. */
export const requests: readonly Act[] = [
  {
    name: 'deadlines: of the caller, and the defaults',
    async play(s) {
      const c = await s.ready();
      s.watch('history', c.historicalData(DAYS));
      s.watch('details', c.contractDetails(AAPL));
      s.watch('positions', c.positions());
      s.watch('values', c.accountValues('DU1', { timeoutMs: 2000 }));
      s.watch('time', c.currentTime({ timeoutMs: 1000 }));
      s.watch('orders', c.openOrders({ timeoutMs: 3000 }));
      await s.pass(999.9);
      figures(s, c);
      await s.pass(8000);
      s.say('accountDownloadEnd', 'DU1');
      s.say('openOrderEnd');
      await s.pass(2000);
      figures(s, c);
      details(s, s.idOf('reqContractDetails'), 'AAPL');
      s.say('contractDetailsEnd', s.idOf('reqContractDetails') + 5);
      s.say('contractDetailsEnd', 7);
      s.say('contractDetailsEnd', 2 ** 30);
      s.say('currentTime', 1);
      figures(s, c);
      await s.pass(60_000);
      bars(s, s.idOf('reqHistoricalData'), 1);
      figures(s, c);
    },
  },
  {
    name: 'callers that give up: before, while waiting, and after it was sent',
    async play(s) {
      const c = await s.ready({ pacing: { limitPerSecond: 2, messagesPerSecond: 1, urgentPerSecond: 2 } });
      const [early, queued, sent, listed] = [0, 1, 2, 3].map(() => new AbortController()) as [
        AbortController,
        AbortController,
        AbortController,
        AbortController,
      ];
      early.abort(new Error('gave up before'));
      s.watch('early', c.contractDetails(AAPL, { signal: early.signal }));
      await s.pass(2000);
      s.watch('sent', c.historicalData(DAYS, { signal: sent.signal }));
      s.watch('queued', c.contractDetails(AAPL, { signal: queued.signal }));
      s.watch('behind', c.contractDetails(MSFT));
      s.watch('listed', c.openOrders({ signal: listed.signal }));
      await s.pass(10);
      figures(s, c);
      queued.abort(new Error('gave up in the queue'));
      sent.abort(new Error('gave up after it was sent'));
      await s.pass(5000);
      listed.abort(new Error('gave up a list'));
      await s.pass(3000);
      figures(s, c);
      s.timers();
    },
  },
  {
    name: 'the time in the queue of the pacing does not count, that without a connection does',
    async play(s) {
      const c = await s.ready({ pacing: { limitPerSecond: 1, messagesPerSecond: 1, urgentPerSecond: 1 } });
      s.watch('first', c.contractDetails(AAPL, { timeoutMs: 500 }));
      s.watch('second', c.contractDetails(AAPL, { timeoutMs: 500 }));
      s.watch('third', c.contractDetails(AAPL, { timeoutMs: 500 }));
      await s.pass(6000);
      s.drop();
      s.watch('without a connection', c.contractDetails(AAPL, { timeoutMs: 700 }));
      s.watch('with more time', c.contractDetails(AAPL, { timeoutMs: 4000 }));
      s.watch('a session', c.managedAccounts({ timeoutMs: 300 }));
      s.watch('a session by default', c.managedAccounts());
      const abort = new AbortController();
      s.watch('a session given up', c.managedAccounts({ signal: abort.signal }));
      await s.pass(200);
      abort.abort(new Error('enough'));
      await s.pass(2500);
      s.welcome();
      await s.pass(20_000);
      figures(s, c);
    },
  },
  {
    name: 'reads are sent again after a drop, three times',
    async play(s) {
      const c = await s.ready({ heartbeatMs: 1e9, reconnectMs: 10 });
      s.watch('details', c.contractDetails(AAPL, { timeoutMs: 600_000 }));
      s.watch('history', c.historicalData(DAYS));
      s.watch('positions', c.positions());
      s.watch('what if', c.whatIf(AAPL, LIMIT));
      for (let round = 0; round < 5; round++) {
        await s.pass(10);
        s.say('contractDetails', s.idOf('reqContractDetails'), { contract: AAPL });
        if (round === 2) bars(s, s.idOf('reqHistoricalData'), 2);
        s.drop();
        await s.pass(1000);
        figures(s, c);
        s.welcome();
      }
      await s.pass(10);
      figures(s, c);
    },
  },
  {
    name: 'what waits for the pacing when the session ends waits again in the next, and has used up no retry',
    async play(s) {
      const c = await s.ready({
        reconnectMs: 10,
        pacing: { limitPerSecond: 2, messagesPerSecond: 2, urgentPerSecond: 2 },
      });
      await s.pass(1100);
      for (const name of ['a', 'b', 'c', 'd']) s.watch(name, c.contractDetails({ ...AAPL, symbol: name }));
      for (let round = 0; round < 5; round++) {
        await s.pass(10);
        s.drop();
        await s.pass(1200);
        s.welcome();
      }
      figures(s, c);
      for (let at = 0; at < 8; at++) {
        await s.pass(1100);
        for (const [method, [id]] of s.link.calls)
          if (method === 'reqContractDetails') s.say('contractDetailsEnd', id);
      }
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'message rate exceeded: what was sent just now is asked again, after a rest',
    async play(s) {
      const c = await s.ready();
      s.watch('old', c.contractDetails({ ...AAPL, symbol: 'OLD' }));
      await s.pass(1500);
      s.watch('edge', c.contractDetails({ ...AAPL, symbol: 'EDGE' }));
      await s.pass(1000);
      s.watch('touched', c.contractDetails({ ...AAPL, symbol: 'TOUCHED' }));
      await s.pass(1);
      s.say('contractDetails', s.idOf('reqContractDetails'), { contract: AAPL });
      s.watch('lost', c.contractDetails({ ...AAPL, symbol: 'LOST' }));
      s.watch('time', c.currentTime());
      s.info(0, 'Approaching max rate of 50 messages per second (44)');
      await s.pass();
      s.info(100, 'Max rate of messages per second has been exceeded');
      s.watch('history in the rest', c.historicalData(DAYS));
      s.watch('asked in the rest', c.contractDetails(MSFT));
      figures(s, c);
      await s.pass(6000);
      figures(s, c);
      for (const [method, [id]] of s.link.calls)
        if (method === 'reqContractDetails') s.say('contractDetailsEnd', id);
      s.say('currentTime', 5);
      await s.pass(1);
      figures(s, c);
    },
  },
  {
    name: 'refused for pacing four times: given up',
    async play(s) {
      const c = await s.ready();
      s.watch('details', c.contractDetails(AAPL));
      s.watch('history', c.historicalData(MINUTES));
      for (let round = 0; round < 5; round++) {
        await s.pass();
        s.error(s.idOf('reqContractDetails'), 100, 'rate');
        s.error(
          s.idOf('reqHistoricalData'),
          162,
          'Historical Market Data Service error message:Historical data request pacing violation',
        );
        await s.pass(100_000);
      }
      figures(s, c);
      s.watch('whatIf', c.whatIf(AAPL, LIMIT));
      await s.pass();
      s.error(s.idOf('placeOrder'), 100, 'rate');
      await s.pass(5000);
    },
  },
  {
    name: 'a rest after pacing ends with the session, and with the caller',
    async play(s) {
      const c = await s.ready({ reconnectMs: 10 });
      const abort = new AbortController();
      s.watch('history', c.historicalData(MINUTES));
      s.watch('given up', c.historicalData({ ...MINUTES, contract: MSFT }, { signal: abort.signal }));
      await s.pass(10);
      const id = s.idOf('reqHistoricalData');
      for (const one of [id, id - 1]) s.error(one, 162, 'pacing violation');
      await s.pass(1000);
      abort.abort(new Error('enough'));
      await s.pass(1000);
      s.drop();
      await s.pass(100);
      s.welcome();
      await s.pass(40_000);
      bars(s, s.idOf('reqHistoricalData'));
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'the gateway was cut off from IB: reads are sent again, those without an id are not',
    async play(s) {
      const c = await s.ready();
      s.watch('details', c.contractDetails(AAPL));
      s.watch('positions', c.positions());
      s.watch('history', c.historicalData(DAYS));
      s.watch('what if', c.whatIf(AAPL, LIMIT));
      await s.pass(10);
      for (const code of [1100, 1102, 1100, 1101, 1100, 1102, 2110, 1101, 1100, 1101]) {
        s.info(code);
        await s.pass(10);
      }
      figures(s, c);
      details(s, s.idOf('reqContractDetails'), 'AAPL');
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'refusals without an id',
    async play(s) {
      const c = await s.ready();
      const ask = (): void => {
        s.watch('positions', c.positions());
        s.watch('orders', c.openOrders());
        s.watch('time', c.currentTime());
        s.watch('details', c.contractDetails(AAPL));
      };
      ask();
      await s.pass();
      s.info(
        321,
        "Error validating request:-'bW' : cause - The API interface is currently in Read-Only mode.",
      );
      await s.pass();
      figures(s, c);
      ask();
      await s.pass();
      s.info(321, 'The account code is required for this operation.');
      await s.pass();
      ask();
      await s.pass();
      s.info(2104, 'Market data farm connection is OK');
      s.info(2100, 'account updates');
      s.info(322, 'Error processing request');
      await s.pass();
      figures(s, c);
      s.watch('accounts', c.accountValues('DU1'));
      s.watch('orders', c.openOrders());
      await s.pass();
      s.say('error', 'Server Version 100 is too old', 503, 2_147_483_647, null);
      s.say('error', 'It does not support it', 503, -1, null);
      s.error(-1, 507, 'Bad message');
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'what a code means for the request whose id it has',
    async play(s) {
      const c = await s.ready();
      const codes: readonly (readonly [number, string])[] = [
        [200, 'No security definition'],
        [321, 'account is wrong'],
        [2104, 'farm'],
        [1100, 'lost'],
        [165, 'query'],
        [399, 'Warning: something'],
        [326, 'id'],
        [202, 'canceled'],
        [98_765, 'odd'],
        [98_766, 'Warning: odd'],
        [2150, 'pnl'],
        [10_197, 'session'],
        [162, 'no data'],
        [322, 'Only 50 simultaneous API historical data requests'],
      ];
      for (const [code, text] of codes) {
        s.watch(`details ${code}`, c.contractDetails(AAPL));
        await s.pass();
        s.error(s.idOf('reqContractDetails'), code, text);
        s.error(s.idOf('reqContractDetails') + 1, code, text);
        await s.pass();
      }
      figures(s, c);
      for (const [code, text] of codes.slice(0, 14)) {
        s.watch(`history ${code}`, c.historicalData({ ...DAYS, duration: `${code} D` }));
        await s.pass();
        s.error(s.idOf('reqHistoricalData'), code, text);
        await s.pass();
      }
      figures(s, c);
    },
  },
  {
    name: 'an answer that is none, a listener that throws, and events for nobody',
    async play(s) {
      const c = await s.ready();
      s.watch('details', c.contractDetails(AAPL));
      await s.pass();
      s.say('contractDetails', s.idOf('reqContractDetails'), null);
      s.say('historicalData', s.idOf('reqContractDetails'), 'finished');
      await s.pass();
      s.say('positionEnd');
      s.say('accountSummary', 3);
      s.say('commissionReport', { execId: 'nobody' });
      s.watch('time', c.currentTime());
      s.watch('time again', c.currentTime());
      await s.pass();
      s.say('currentTime', 1);
      s.say('currentTime', 2);
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'messages that cannot be sent: at once, and later',
    async play(s) {
      const c = await s.ready();
      s.manners.onCall = () => {
        throw new Error('cannot be written');
      };
      s.watch('thrown', c.contractDetails(AAPL));
      s.watch('thrown history', c.historicalData(DAYS));
      await s.pass(10);
      s.manners.onCall = () =>
        new Promise((_, reject) => void s.clock.setTimer(() => reject(new Error('the thread has gone')), 50));
      s.watch('rejected', c.contractDetails(AAPL));
      s.watch('rejected history', c.historicalData(DAYS));
      await s.pass(100);
      s.manners.onCall = () => new Promise((resolve) => void s.clock.setTimer(resolve, 300));
      s.watch('slow', c.contractDetails(AAPL));
      s.watch('slow history', c.historicalData(DAYS));
      await s.pass(100);
      details(s, s.idOf('reqContractDetails'), 'AAPL');
      await s.pass(300);
      bars(s, s.idOf('reqHistoricalData'));
      await s.pass(1000);
      figures(s, c);
    },
  },
  {
    name: 'closed while something is under way',
    async play(s) {
      const c = await s.ready({ pacing: { limitPerSecond: 3, messagesPerSecond: 3, urgentPerSecond: 3 } });
      s.watch('details', c.contractDetails(AAPL));
      s.watch('history', c.historicalData(DAYS));
      s.watch('queued', c.contractDetails(AAPL));
      s.watch('queued history', c.historicalData({ ...DAYS, contract: MSFT }));
      await s.pass(1);
      s.watch('closed', c.close());
      s.watch('afterwards', c.contractDetails(AAPL));
      s.watch('ready', c.ready());
      await s.pass(10);
      figures(s, c);
      s.timers();
    },
  },
  {
    name: 'histories that are shared, and their callers',
    async play(s) {
      const c = await s.ready();
      const [one, two] = [new AbortController(), new AbortController()];
      s.watch('one', c.historicalData(DAYS, { signal: one.signal }));
      s.watch('two', c.historicalData(DAYS, { signal: two.signal }));
      await s.pass(10);
      one.abort(new Error('one has gone'));
      await s.pass(10);
      two.abort(new Error('two has gone'));
      await s.pass(10);
      s.watch('again', c.historicalData(DAYS));
      await s.pass(10);
      bars(s, s.idOf('reqHistoricalData'), 1);
      await s.pass();
      s.watch('afterwards', c.historicalData(DAYS));
      await s.pass(10);
      s.error(s.idOf('reqHistoricalData'), 162, 'no data');
      await s.pass();
      figures(s, c);
    },
  },
];
