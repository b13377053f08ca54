import { AAPL, figures, LIMIT, MSFT } from '../contracts.js';
import type { Act } from '../stage.js';

/** Market data over refusals, advisories, farms and drops. */
export const streams: readonly Act[] = [
  {
    name: 'streams are shared, asked for in each session, and canceled',
    async play(s) {
      const c = await s.ready({ reconnectMs: 50 });
      const follow = (name: string, contract: object, genericTicks?: string) =>
        c.subscribe(contract, (tick) => s.note(`${name} ${JSON.stringify(tick)}`), {
          ...(genericTicks !== undefined && { genericTicks }),
          onError: (error) => s.note(`${name} error ${error.code} ${error.message}`),
          onMessage: (message) => s.note(`${name} message ${JSON.stringify(message)}`),
          onType: (type) => s.note(`${name} type ${type}`),
        });
      const a = follow('a', AAPL);
      const b = follow('b', AAPL);
      const d = follow('d', AAPL, '233');
      await s.pass();
      const id = s.idOf('reqMktData');
      s.say('tickPrice', id - 1, 1, 10.5);
      s.say('tickSize', id - 1, 0, 5);
      s.say('tickString', id, 45, 'x');
      s.say('tickGeneric', id, 49, 0);
      s.say('tickPrice', id + 9, 1, 10.5);
      s.say('marketDataType', id, 3);
      s.say('marketDataType', id, 9);
      s.error(id, 10_197, 'competing session');
      s.error(id - 1, 98_765, 'odd');
      a.close();
      a.close();
      figures(s, c);
      b.close();
      figures(s, c);
      await s.pass();
      s.drop();
      await s.pass(60);
      s.welcome();
      await s.pass();
      figures(s, c);
      s.error(s.idOf('reqMktData'), 354, 'not subscribed');
      const e = follow('e', AAPL, '233');
      await s.pass();
      figures(s, c);
      s.error(s.idOf('reqMktData'), 300, 'no such ticker');
      c.setMarketDataType('delayed');
      await s.pass();
      s.error(s.idOf('reqMktData'), 100, 'rate');
      await s.pass(1100);
      s.info(1101);
      await s.pass();
      s.info(1102);
      await s.pass();
      d.close();
      follow('m', MSFT);
      await s.pass();
      s.watch('closed', c.close());
      await s.pass();
      e.close();
      figures(s, c);
    },
  },
  {
    name: 'streams that go silent after a farm changed are asked for anew',
    async play(s) {
      const c = await s.ready({ streamWatchdogMs: 1000, trust1102: false, marketDataType: 'frozen' });
      c.subscribe(AAPL, () => undefined);
      c.subscribe(MSFT, () => undefined);
      await s.pass();
      const id = s.idOf('reqMktData');
      for (const one of [id, id - 1]) s.say('tickPrice', one, 1, 1);
      await s.pass(10);
      s.info(2103);
      await s.pass(2000);
      s.info(2104);
      await s.pass(500);
      s.say('tickPrice', id, 1, 1);
      await s.pass(600);
      figures(s, c);
      s.info(1102);
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'figures that happen to be the number that stands for no request',
    async play(s) {
      const c = await s.ready();
      const none = 2_147_483_647;
      c.subscribe(AAPL, (tick) => s.note(`tick ${JSON.stringify(tick)}`), {
        onError: (error) => s.note(`error ${error.message}`),
      });
      const o = s.follow('o', c.placeOrder(AAPL, { ...LIMIT, totalQuantity: none }));
      s.watch('positions', c.positions());
      await s.pass();
      const id = s.idOf('reqMktData');
      s.say('tickSize', id, 8, none);
      s.say('tickPrice', id, 1, none);
      s.say('position', 'DU1', AAPL, none, none);
      s.say('orderStatus', 5, 'Submitted', none, 0, 0, 9, 0, 0, 1, '', 0);
      s.say('positionEnd');
      s.error(none, 2104, 'a farm is back');
      s.error(none, 1100, 'cut off');
      await s.pass();
      s.show('o', o);
      figures(s, c);
    },
  },
];
