import { AAPL, DAYS, figures, LIMIT, MSFT } from '../contracts.js';
import { orderSide } from '../order-side.js';
import type { Act } from '../stage.js';

/** Cases at the boundary of a rule of requests and streams. */
export const requestEdges: readonly Act[] = [
  {
    name: 'exceeded exactly a second after it was sent, and by codes that are close',
    async play(s) {
      const c = await s.ready();
      s.watch('edge', c.contractDetails(AAPL));
      await s.pass(1000);
      s.info(100, 'Max rate');
      await s.pass(2500);
      s.say('contractDetailsEnd', s.idOf('reqContractDetails'));
      s.watch('late', c.contractDetails(AAPL));
      await s.pass(1000.5);
      s.info(100, 'Max rate');
      await s.pass(2500);
      figures(s, c);
      s.info(162, 'Historical data request pacing violation');
      s.watch('rests', c.contractDetails(MSFT));
      s.watch('rests too', c.historicalData(DAYS));
      await s.pass(1500);
      figures(s, c);
    },
  },
  {
    name: 'messages of the library with the id of a request, and large numbers that are no ids',
    async play(s) {
      const c = await s.ready();
      c.subscribe(AAPL, (tick) => s.note(`tick ${JSON.stringify(tick)}`));
      s.watch('orders', c.openOrders());
      s.watch('details', c.contractDetails(AAPL));
      await s.pass();
      s.error(s.idOf('reqContractDetails'), 503, 'It does not support that');
      s.error(77, 503, 'It does not support that');
      s.say('tickSize', s.idOf('reqMktData'), 5, 2_147_483_647);
      s.error(2_147_483_647, 321, 'Read-Only mode');
      await s.pass(10);
      figures(s, c);
    },
  },
  {
    name: 'the answer of one is no answer for another',
    async play(s) {
      const c = await s.ready();
      const g = orderSide(s);
      s.watch('what if', c.whatIf(AAPL, LIMIT));
      s.watch('details', c.contractDetails(AAPL));
      s.watch('history', c.historicalData(DAYS));
      await s.pass();
      g.open(77, 'Submitted', {}, { initMarginChange: 5 });
      s.say('positionEnd');
      s.say('contractDetailsEnd', s.idOf('reqHistoricalData'));
      s.say('historicalData', s.idOf('reqContractDetails'), 'finished');
      s.say('currentTime', s.idOf('reqContractDetails'));
      s.say('execDetailsEnd', 5);
      await s.pass(10);
      figures(s, c);
      s.watch('positions', c.positions());
      s.watch('executions', c.executions());
      s.watch('executions too', c.executions({ symbol: 'MSFT' }));
      await s.pass();
      const id = s.idOf('reqExecutions');
      g.fill(9, 'k', 5, {}, id);
      s.say('commissionReport', { execId: 'k', commission: 2, currency: 'USD' });
      s.say('execDetailsEnd', id);
      s.say('execDetailsEnd', id - 1);
      s.say('position', 'DU1', AAPL, 1, 2);
      s.say('positionEnd');
      await s.pass(10);
      figures(s, c);
    },
  },
  {
    name: 'asked before the first connect, and while none is ready',
    async play(s) {
      const c = s.connection({ reconnectMs: 50, firstAttempts: 2 });
      s.watch('details', c.contractDetails(AAPL));
      s.watch('history', c.historicalData(DAYS));
      s.watch('impatient', c.contractDetails(MSFT, { timeoutMs: 40 }));
      s.follow('order', c.placeOrder(AAPL, LIMIT));
      s.watch('cancel', c.cancelOrder(3));
      await s.pass(20);
      s.drop();
      await s.pass(60);
      figures(s, c);
      s.welcome();
      await s.pass(10);
      figures(s, c);
      s.say('contractDetailsEnd', s.idOf('reqContractDetails'));
      await s.pass(10);
      const d = s.connection({ clientId: 2 });
      s.watch('fails', d.contractDetails(AAPL));
      await s.pass();
      s.info(326);
      await s.pass(10);
      s.watch('fails again', d.contractDetails(AAPL));
      await s.pass();
      figures(s, d);
    },
  },
  {
    name: 'a caller that gives up while it waits for a connection, and between two attempts',
    async play(s) {
      const c = await s.ready({ reconnectMs: 2000 });
      const [one, two] = [new AbortController(), new AbortController()];
      s.watch('one', c.contractDetails(AAPL, { signal: one.signal }));
      s.watch('two', c.contractDetails(MSFT, { signal: two.signal }));
      await s.pass(10);
      s.drop();
      await s.pass(10);
      one.abort(new Error('one has gone'));
      await s.pass(10);
      figures(s, c);
      await s.pass(3000);
      s.welcome();
      await s.pass();
      s.error(s.idOf('reqContractDetails'), 100, 'rate');
      await s.pass(500);
      two.abort(new Error('two has gone'));
      await s.pass(5000);
      figures(s, c);
      s.timers();
    },
  },
];
