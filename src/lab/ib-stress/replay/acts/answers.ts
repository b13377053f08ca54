import { IbError } from '../../../../ib/errors.js';
import { AAPL, bars, DAYS, details, figures, LIMIT, MSFT, UNSET } from '../contracts.js';
import type { Act } from '../stage.js';

/** Reads, and their answers. */
export const answers: readonly Act[] = [
  {
    name: 'every kind of read has its answer',
    async play(s) {
      const c = await s.ready();
      s.watch('time', c.currentTime());
      s.watch('accounts', c.managedAccounts());
      await s.pass(10);
      s.say('currentTime', 1_767_600_000);
      s.watch('details', c.contractDetails(AAPL));
      await s.pass(10);
      details(s, s.idOf('reqContractDetails'), 'AAPL', 'AAPL2');
      s.watch('bonds', c.contractDetails({ conId: 7 }));
      await s.pass(10);
      s.say('bondContractDetails', s.idOf('reqContractDetails'), { contract: { conId: 7 } });
      s.say('contractDetailsEnd', s.idOf('reqContractDetails'));
      s.watch('history', c.historicalData(DAYS));
      s.watch('the same history', c.historicalData(DAYS));
      s.watch(
        'midpoints',
        c.historicalData({
          ...DAYS,
          end: '20260105 16:00:00 UTC',
          whatToShow: 'MIDPOINT',
          regularHoursOnly: false,
        }),
      );
      await s.pass(10);
      bars(s, s.idOf('reqHistoricalData'), 2);
      bars(s, s.idOf('reqHistoricalData') - 1, 1);
      await s.pass();
      figures(s, c);
      s.watch('positions', c.positions());
      s.watch('the same positions', c.positions());
      await s.pass(10);
      s.say('position', 'DU1', AAPL, 5, 1.5);
      s.say('positionEnd');
      s.watch('values', c.accountValues('DU1'));
      s.watch('other values', c.accountValues('DU2'));
      await s.pass(10);
      s.say('updateAccountValue', 'NetLiquidation', '100', 'USD', 'DU1');
      s.say('updateAccountValue', 'NetLiquidation', '200', 'USD', 'DU9');
      s.say('updateAccountValue', 'Ready', 'true', undefined, 'DU1');
      s.say('accountDownloadEnd', 'DU1');
      await s.pass(10);
      s.say('updateAccountValue', 'NetLiquidation', '100', 'USD', 'DU1');
      s.say('accountDownloadEnd', 'DU1');
      await s.pass(10);
      s.watch('any values', c.accountValues(''));
      await s.pass(10);
      s.say('updateAccountValue', 'NetLiquidation', '100', 'USD', 'DU1');
      s.say('accountDownloadEnd', 'DU1');
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'lists of orders, executions and their commissions',
    async play(s) {
      const c = await s.ready();
      s.watch('open orders', c.openOrders());
      s.watch('the same', c.openOrders());
      s.watch('those of all', c.openOrders({ all: true }));
      await s.pass(10);
      const order = (id: number, status: string, more: object = {}): void =>
        s.say('openOrder', id, AAPL, { ...LIMIT, clientId: 9, permId: 100 + id, ...more }, { status });
      order(1, 'Submitted', { orderRef: 'a' });
      order(2, 'Submitted');
      order(3, 'Filled');
      order(4, 'PreSubmitted', { whatIf: true });
      s.say('orderStatus', 1, 'Submitted', 40, 60, 9.5, 101, 0, 9.4, 9, '', 0);
      s.say('orderStatus', 2, 'Cancelled', 0, 100, 0, 102, 0, 0, 9, '', 0);
      s.say('orderStatus', 8, 'Submitted', 0, 100, 0, 108, 0, 0, 9, '', 0);
      s.say('openOrderEnd');
      await s.pass(10);
      order(0, 'Submitted', { permId: 0, clientId: 0 });
      order(5, 'Submitted', { permId: 0, clientId: 9 });
      order(5, 'Submitted', { permId: 0, clientId: 9, lmtPrice: 11 });
      s.say('openOrderEnd');
      await s.pass(10);
      s.watch(
        'executions',
        c.executions({
          clientId: 2,
          account: 'DU1',
          since: '20260105-09:30:00',
          symbol: 'AAPL',
          secType: 'STK',
          exchange: 'SMART',
          side: 'BUY',
        }),
      );
      await s.pass(10);
      const id = s.idOf('reqExecutions');
      const execution = (execId: string, shares: number, more: object = {}): void =>
        s.say('execDetails', id, AAPL, {
          execId,
          shares,
          price: 10,
          orderId: 1,
          clientId: 2,
          acctNumber: 'DU1',
          time: 'T',
          exchange: 'X',
          side: 'BOT',
          cumQty: shares,
          avgPrice: 10,
          permId: 7,
          orderRef: 'r',
          ...more,
        });
      execution('0000e.1.2.01', 10);
      s.say('commissionReport', {
        execId: '0000e.1.2.01',
        commission: 1,
        currency: 'USD',
        realizedPNL: UNSET,
      });
      execution('0000e.1.2.02', 12);
      execution('0000e.1.2.01', 10);
      execution('0000e.1.3.01', 20);
      s.say('commissionReport', { execId: '0000e.1.2.02', commission: 1.5, currency: 'USD', realizedPNL: 3 });
      s.say('commissionReport', { execId: '0000e.1.3.01', commission: -1, currency: '' });
      execution('odd', 1, { orderId: 2_147_483_647, acctNumber: undefined, price: undefined, permId: 0 });
      s.say('execDetailsEnd', id);
      s.watch('completed', c.completedOrders());
      s.watch('of the API', c.completedOrders({ apiOnly: true }));
      await s.pass(10);
      s.say(
        'completedOrder',
        AAPL,
        { ...LIMIT, permId: 9, orderRef: 'x', filledQuantity: 100 },
        { status: 'Filled', completedStatus: 'Filled Size: 100', completedTime: 'T' },
      );
      s.say('completedOrdersEnd');
      await s.pass(10);
      s.say('completedOrdersEnd');
      s.watch('executions of all', c.executions());
      await s.pass(10);
      s.say('execDetailsEnd', s.idOf('reqExecutions'));
      await s.pass();
      figures(s, c);
    },
  },
  {
    name: 'a gateway of version 149 lists no completed orders',
    async play(s) {
      const c = await s.ready({ version: 149 });
      s.watch('completed', c.completedOrders());
      await s.pass(10);
      const other = await s.ready({ version: 150, clientId: 2 });
      s.watch('completed', other.completedOrders());
      await s.pass(10);
    },
  },
  {
    name: 'an order that is tried out',
    async play(s) {
      const c = await s.ready();
      s.watch('what if', c.whatIf(AAPL, { ...LIMIT, transmit: false }));
      await s.pass(10);
      s.say(
        'openOrder',
        5,
        AAPL,
        { ...LIMIT, whatIf: true },
        { status: 'PreSubmitted', initMarginChange: UNSET, warningText: 'first' },
      );
      figures(s, c);
      s.say(
        'openOrder',
        5,
        AAPL,
        { ...LIMIT, whatIf: true },
        {
          status: 'PreSubmitted',
          initMarginBefore: '1',
          initMarginChange: '2',
          initMarginAfter: '3',
          maintMarginBefore: 4,
          maintMarginChange: 5,
          maintMarginAfter: 6,
          equityWithLoanBefore: 7,
          equityWithLoanChange: 8,
          equityWithLoanAfter: 9,
          commission: 1,
          minCommission: UNSET,
          maxCommission: 2,
          commissionCurrency: 'USD',
          warningText: 'w',
        },
      );
      await s.pass();
      s.watch('refused', c.whatIf(AAPL, LIMIT));
      s.watch('without a change', c.whatIf(MSFT, LIMIT));
      s.watch('without an answer', c.whatIf(MSFT, LIMIT));
      await s.pass(10);
      s.error(6, 110, 'off the tick');
      s.say('openOrder', 7, AAPL, { whatIf: true }, { initMarginAfter: 3, status: undefined });
      s.error(8, 399, 'Warning: later');
      await s.pass();
      s.drop();
      await s.pass();
      s.watch('next id', c.nextOrderId());
      await s.pass(5000);
      s.welcome();
      await s.pass();
      figures(s, c);
      s.attempt('orders', () => c.orders().length);
    },
  },
  {
    name: 'the client library itself: its messages and its events',
    async play(s) {
      const c = await s.ready();
      const stop = c.raw.on(({ event, args }) => s.note(`raw ${event} ${JSON.stringify(args)}`));
      s.watch('sent', c.raw.send('reqPnL', [c.raw.nextId(), 'DU1', null]));
      s.watch('sent without arguments', c.raw.send('reqScannerParameters'));
      await s.pass();
      s.say('pnl', 1, 2);
      s.say('nextValidId', 20);
      stop();
      s.say('pnl', 1, 3);
      s.watch('next id', c.nextOrderId());
      await s.pass();
      s.attempt('unknown', () => c.order(77));
      throwsAt(s, 'reqPnL');
      s.watch('not sent', c.raw.send('reqPnL'));
      await s.pass();
      s.drop();
      s.watch('sent later', c.raw.send('reqIds'));
      await s.pass(20_000);
      figures(s, c);
    },
  },
];

function throwsAt(s: Parameters<Act['play']>[0], method: string): void {
  s.manners.onCall = (name) => {
    if (name === method) throw new IbError('ERR_IB_REQUEST', `${method} is not to be sent`);
  };
}
