import { describe, expect, it } from 'vitest';
import type { Tick } from '../../src/ib/contracts.js';
import { FIRST_REQUEST_ID } from '../../src/ib/requests.js';
import type { StreamMessage } from '../../src/ib/subscriptions.js';
import { AAPL, connected, MSFT } from './connected.js';

const FIRST = FIRST_REQUEST_ID + 1;
const HISTORY = { contract: AAPL, barSize: '1 min', duration: '1 D' };

/** A subscription with all that it hears. */
function listen(connection: Awaited<ReturnType<typeof connected>>['connection'], contract = AAPL) {
  const heard = {
    ticks: [] as Tick[],
    errors: [] as string[],
    messages: [] as StreamMessage[],
    types: [] as string[],
  };
  const subscription = connection.subscribe(contract, (tick) => heard.ticks.push(tick), {
    onError: ({ code, ibCode }) => heard.errors.push(`${code} ${ibCode}`),
    onMessage: (message) => heard.messages.push(message),
    onType: (type) => heard.types.push(type),
  });
  return { ...heard, subscription };
}

describe('a stream of market data', () => {
  it.each([
    [10_090, 'Part of requested market data is not subscribed.'],
    [10_091, 'Part of requested market data requires additional subscription for API.'],
    [10_089, 'Requested market data requires additional subscription for API.'],
    [10_167, 'Requested market data is not subscribed. Displaying delayed market data.'],
    [10_197, 'No market data during competing live session'],
    [317, 'Market depth data has been RESET. Please empty deep book contents'],
    [2187, 'Generic ticks are missing'],
    [2150, 'Invalid position trade derived value'],
    [99_999, 'Warning: a new one'],
  ])('goes on after %d, which its subscribers hear', async (code, text) => {
    const { clock, connection, sent, say, error } = await connected();
    const [one, two] = [listen(connection), listen(connection)];
    await clock.settle();
    error(FIRST, code, text);
    for (let at = 0; at < 5; at++) say('tickPrice', FIRST, 1, 99 + at, true);
    expect([one.ticks.length, two.ticks.length]).toEqual([5, 5]);
    expect([...one.messages, ...two.messages]).toMatchObject([
      { ibCode: code, text, class: 'advisory' },
      { ibCode: code, text },
    ]);
    expect([...one.errors, ...two.errors]).toEqual([]);
    one.subscription.close();
    two.subscription.close();
    await clock.settle();
    expect(sent('cancelMktData')).toEqual([[FIRST]]);
    await connection.close();
  });

  it('that is refused tells all its subscribers, also one that comes later, and gives its line back', async () => {
    const { clock, connection, sent, error } = await connected();
    const [one, two] = [listen(connection), listen(connection)];
    await clock.settle();
    error(FIRST, 354, 'Requested market data is not subscribed. Delayed market data is available.');
    const late = listen(connection);
    await clock.settle();
    for (const { errors } of [one, two, late]) expect(errors).toEqual(['ERR_IB_NOT_SUBSCRIBED 354']);
    expect(sent('cancelMktData')).toEqual([[FIRST]]);
    expect(sent('reqMktData')).toHaveLength(1);
    // One that has left before it could be told is not told.
    const left = listen(connection);
    left.subscription.close();
    await clock.settle();
    expect(left.errors).toEqual([]);
    await connection.close();
  });

  it('stays open at a code that nobody knows, which is an error to its subscribers', async () => {
    const { clock, connection, say, sent, error } = await connected();
    const one = listen(connection);
    await clock.settle();
    error(FIRST, 98_765, 'a code of next year');
    say('tickPrice', FIRST, 1, 99, true);
    expect(one).toMatchObject({ errors: ['ERR_IB_REQUEST 98765'], ticks: [{ price: 99 }] });
    expect(sent('cancelMktData')).toEqual([]);
    await connection.close();
    expect(sent('cancelMktData')).toEqual([[FIRST]]);
  });

  it('gives its line back when the connection is closed', async () => {
    const { clock, connection, sent } = await connected();
    listen(connection);
    listen(connection, MSFT);
    await clock.settle();
    await connection.close();
    expect(sent('cancelMktData')).toEqual([[FIRST], [FIRST + 1]]);
  });

  it('has the kind of data that was asked for, in every session, and says which it is', async () => {
    const { clock, connection, line, sent, say, drop, reconnect } = await connected({
      marketDataType: 'delayed',
    });
    const one = listen(connection);
    await clock.settle();
    expect(line.last.calls.map(([name]) => name)).toEqual(['reqMarketDataType', 'reqMktData']);
    expect(sent('reqMarketDataType')).toEqual([[3]]);
    say('marketDataType', FIRST, 3);
    say('tickPrice', FIRST, 66, 99, true);
    expect(one).toMatchObject({ types: ['delayed'], ticks: [{ field: 66, price: 99 }] });
    drop();
    await reconnect();
    expect(sent('reqMarketDataType')).toEqual([[3]]);
    connection.setMarketDataType('live');
    await clock.settle();
    expect(sent('reqMarketDataType')).toEqual([[3], [1]]);
    expect(sent('reqMktData')).toHaveLength(2);
    expect(sent('cancelMktData')).toHaveLength(1);
    await connection.close();
  });

  it('that was refused live is asked for again as delayed', async () => {
    const { clock, connection, sent, error, say } = await connected();
    const one = listen(connection);
    await clock.settle();
    error(FIRST, 10_168, 'Requested market data is not subscribed. Delayed market data is not enabled.');
    connection.setMarketDataType('delayed');
    await clock.settle();
    expect(sent('reqMktData')).toHaveLength(2);
    say('tickPrice', FIRST + 1, 66, 99, true);
    expect(one.ticks).toHaveLength(1);
    await connection.close();
  });

  it('that stays silent after a change of a farm is asked for anew, where that was asked for', async () => {
    const { clock, connection, sent, say, info } = await connected({ streamWatchdogMs: 10_000 });
    listen(connection);
    listen(connection, MSFT);
    await clock.settle();
    for (const id of [FIRST, FIRST + 1]) say('tickPrice', id, 1, 99, true);
    info(2103, 'Market data farm connection is broken:usfarm');
    await clock.advance(60_000);
    expect(sent('reqMktData')).toHaveLength(2);
    info(2104, 'Market data farm connection is OK:usfarm');
    await clock.advance(5000);
    say('tickPrice', FIRST + 1, 1, 100, true);
    await clock.advance(5000);
    expect(sent('reqMktData').map(([id]) => id)).toEqual([FIRST, FIRST + 1, FIRST + 2]);
    expect(sent('cancelMktData')).toEqual([[FIRST]]);
    // Once for each change: a market may be closed.
    await clock.advance(60_000);
    expect(sent('reqMktData')).toHaveLength(3);
    await connection.close();
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });
});

describe('a read', () => {
  it('that was refused for its rate is repeated after a rest, with another id', async () => {
    const { clock, connection, sent, say, error } = await connected();
    const asked = connection.contractDetails(AAPL, { timeoutMs: 500 });
    await clock.settle();
    error(FIRST, 100, 'Max rate of messages per second has been exceeded');
    await clock.advance(900);
    expect(sent('reqContractDetails')).toHaveLength(1);
    // Between one and two seconds.
    await clock.advance(700);
    expect(sent('reqContractDetails')).toHaveLength(2);
    say('contractDetailsEnd', FIRST + 1);
    expect(await asked).toEqual([]);
    expect(connection.figures().requests).toMatchObject({ retried: 1, answered: 1 });
    await connection.close();
  });

  it('that may be among those that the gateway has dropped is repeated, an order is not', async () => {
    const { clock, connection, sent, say, info } = await connected();
    const asked = [connection.contractDetails(AAPL), connection.positions()];
    const order = connection.placeOrder(AAPL, { action: 'BUY', orderType: 'MKT', totalQuantity: 1 });
    await clock.settle();
    info(100, 'Max rate of messages per second has been exceeded');
    await clock.advance(3000);
    expect(sent('reqContractDetails')).toHaveLength(2);
    expect(sent('reqPositions')).toHaveLength(2);
    expect(sent('placeOrder')).toHaveLength(1);
    say('contractDetailsEnd', FIRST + 2);
    say('positionEnd');
    await Promise.all(asked);
    expect(order.state).toBe('sent');
    await connection.close();
  });

  it('a warning that the limit is near repeats nothing, and slows what is not urgent down', async () => {
    const { clock, connection, sent, info } = await connected();
    const first = connection.contractDetails(AAPL).catch(() => {});
    await clock.settle();
    info(0, 'Warning: Approaching max rate of 50 messages per second (44)');
    const second = connection.contractDetails(MSFT).catch(() => {});
    connection.placeOrder(AAPL, { action: 'BUY', orderType: 'MKT', totalQuantity: 1 });
    await clock.settle();
    expect(sent('reqContractDetails')).toHaveLength(1);
    expect(sent('placeOrder')).toHaveLength(1);
    await clock.advance(1000);
    expect(sent('reqContractDetails')).toHaveLength(2);
    await connection.close();
    await Promise.all([first, second]);
  });

  it('of history that was refused for pacing rests 15 seconds, which are not its own time', async () => {
    const { clock, connection, sent, say, error } = await connected();
    const asked = connection.historicalData(HISTORY, { timeoutMs: 5000 });
    await clock.settle();
    const text = 'Historical Market Data Service error message:Historical data request pacing violation';
    error(FIRST, 162, text);
    await clock.advance(14_999);
    expect(sent('reqHistoricalData')).toHaveLength(1);
    await clock.advance(9000);
    expect(sent('reqHistoricalData')).toHaveLength(2);
    say('historicalData', FIRST + 1, 'finished-1-2', -1);
    expect(await asked).toEqual([]);
    await connection.close();
  });

  it.each([
    [100, 'Max rate of messages per second has been exceeded', 'ERR_IB_PACING'],
    [162, 'Historical Market Data Service error message: pacing violation', 'ERR_IB_HISTORY_PACING'],
    [
      322,
      'Error processing request: Only 50 simultaneous API historical data requests allowed.',
      'ERR_IB_HISTORY_PACING',
    ],
  ])(
    'that is refused for its rate with %d again and again fails in the end',
    async (code, text, errorCode) => {
      const { clock, connection, error, sent } = await connected();
      const asked = connection.historicalData(HISTORY);
      asked.catch(() => {});
      for (let at = 0; at < 4; at++) {
        while (sent('reqHistoricalData').length <= at) await clock.advance(1000);
        error(FIRST + at, code, text);
        await clock.settle();
      }
      await expect(asked).rejects.toMatchObject({ code: errorCode, ibCode: code });
      expect(sent('reqHistoricalData')).toHaveLength(4);
      await connection.close();
    },
  );

  it.each([1101, 1102])(
    'of history that an outage has swallowed is asked for again after %d',
    async (code) => {
      const { clock, connection, sent, say, info } = await connected();
      const asked = connection.historicalData(HISTORY);
      await clock.settle();
      info(1100);
      await clock.advance(3000);
      info(code);
      await clock.settle();
      expect(sent('reqHistoricalData')).toHaveLength(2);
      expect(sent('cancelHistoricalData')).toEqual([[FIRST]]);
      say('historicalData', FIRST + 1, 'finished-1-2', -1);
      expect(await asked).toEqual([]);
      await connection.close();
    },
  );

  it.each([
    [2188, 'The newest bars need a subscription'],
    [2119, 'Market data farm is connecting:usfarm'],
    [165, 'Historical Market Data Service query message'],
  ])('of history goes on after %d', async (code, text) => {
    const { clock, connection, say, error } = await connected();
    const asked = connection.historicalData(HISTORY);
    await clock.settle();
    error(FIRST, code, text);
    say('historicalData', FIRST, 'finished-1-2', -1);
    expect(await asked).toEqual([]);
    await connection.close();
  });

  it('of an account for which the gateway answers with another fails, with what to do', async () => {
    const { clock, connection, say } = await connected();
    const asked = connection.accountValues('DU2');
    await clock.settle();
    say('updateAccountValue', 'NetLiquidation', '1000', 'USD', 'DU1');
    say('accountDownloadEnd', 'DU1');
    await expect(asked).rejects.toMatchObject({
      code: 'ERR_IB_ACCOUNT',
      message: 'account values of DU2: the gateway answered for DU1',
      hint: expect.stringContaining('managedAccounts()'),
    });
    await connection.close();
  });

  it('means by a code what its user says', async () => {
    const codes = [
      { codes: 77_001, class: 'advisory', summary: 'ours' },
      {
        codes: 200,
        text: /ambiguous/,
        class: 'refusal',
        summary: 'ours',
        error: 'ERR_IB_REQUEST',
        hint: 'narrow it',
      },
    ] as const;
    const { clock, connection, say, error } = await connected({ codes });
    const first = connection.contractDetails(AAPL);
    await clock.settle();
    error(FIRST, 77_001, 'a code of our own');
    say('contractDetailsEnd', FIRST);
    expect(await first).toEqual([]);
    const second = connection.contractDetails(AAPL);
    await clock.settle();
    error(FIRST + 1, 200, 'The contract description specified is ambiguous.');
    await expect(second).rejects.toMatchObject({ code: 'ERR_IB_REQUEST', hint: 'narrow it' });
    await connection.close();
  });
});

describe('the client underneath', () => {
  it('sends what has no method of its own, and tells of everything', async () => {
    const { clock, connection, sent, say } = await connected();
    const heard: string[] = [];
    const stop = connection.raw.on(({ event }) => heard.push(event));
    const id = connection.raw.nextId();
    await connection.raw.send('reqPnL', [id, 'DU1', null]);
    expect(sent('reqPnL')).toEqual([[id, 'DU1', null]]);
    say('pnl', id, 1, 2, 3);
    stop();
    say('pnl', id, 1, 2, 3);
    expect(heard).toEqual(['pnl']);
    await clock.settle();
    await connection.close();
    await expect(connection.raw.send('reqPnL')).rejects.toMatchObject({ code: 'ERR_IB_CLOSED' });
  });
});
