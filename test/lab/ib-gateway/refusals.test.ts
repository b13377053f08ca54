import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, startGateway } from '../../../src/lab/ib-gateway/gateway.js';
import type { Field } from '../../../src/lab/ib-gateway/wire/frames.js';
import { RawClient, stock } from './raw-client.js';

let gateway: Gateway | null = null;
afterEach(() => gateway?.close());

async function connected(versions = 'v100..193') {
  gateway = await startGateway({ messagesPerSecond: null });
  return RawClient.ready({ port: gateway.port, clientId: 1, versions });
}

const aapl = stock('AAPL');
const noPrimary = aapl.filter((_, at) => at !== 8);

describe('what is not simulated is refused at once, under the id of the request', () => {
  it.each<readonly [what: string, fields: readonly Field[]]>([
    ['market depth', [10, 5, 77, ...aapl, 5, false, '']],
    ['canceling market depth', [11, 1, 77, false]],
    ['exercising options', [21, 2, 77, ...noPrimary, 1, 1, '', 0, '', '', 0]],
    ['a market scanner', [22, 77, 50, 'STK', 'STK.US', 'TOP_PERC_GAIN', ...Array(18).fill(''), '', '']],
    ['fundamental data', [52, 2, 77, 0, 'AAPL', 'STK', 'SMART', '', 'USD', '', 'ReportSnapshot', '']],
    ['an implied volatility', [54, 3, 77, ...aapl, 5, 230, '']],
    ['an option price', [55, 3, 77, ...aapl, 0.2, 230, '']],
    ['display groups', [67, 1, 77]],
    ['a display group', [68, 1, 77, 1]],
    ['a news article', [84, 77, 'BRFG', 'x', '']],
    ['historical news', [86, 77, 1, 'BRFG', '', '', 5, '']],
    ['the event calendar', [100, 77]],
    ['an event', [102, 77, '', '', '', '', '', '', '']],
  ])('%s', async (_, fields) => {
    const client = await connected();
    client.say(...fields);
    await client.inStep();
    expect(client.of(4).at(-1)?.slice(2, 4)).toEqual(['77', '322']);
  });

  it.each<readonly [what: string, fields: readonly Field[], code: string]>([
    ['ticks of an unknown contract', [97, 77, ...stock('NOSUCH'), 'Last', 0, false], '200'],
    ['ticks of no known type', [97, 77, ...aapl, 'All', 0, false], '321'],
    ['past ticks without a time', [96, 77, ...aapl, false, '', '', 10, 'TRADES', 1, false, ''], '321'],
    ['bars of an unknown contract', [50, 3, 77, ...stock('NOSUCH'), 5, 'TRADES', true, ''], '200'],
    ['a histogram of an unknown contract', [88, 77, ...stock('NOSUCH'), true, '1 day'], '200'],
    ['the profit of an unknown account', [92, 77, 'U999', ''], '321'],
    ['the positions of an unknown account', [74, 1, 77, 'U999', ''], '321'],
    ['updates of an unknown account', [76, 1, 77, 'U999', '', false], '321'],
    ['a number of bytes that is not a number', [97, 77, ...aapl, 'Last', 'many', false], '320'],
    ['half a request for bars', [50, 3, 77, 0, 'AAPL'], '320'],
  ])('%s', async (_, fields, code) => {
    const client = await connected();
    client.say(...fields);
    await client.inStep();
    expect(client.of(4).at(-1)?.slice(2, 4)).toEqual(['77', code]);
  });

  it.each([
    ['the groups of an adviser', [18, 1, 1], '322'],
    ['an unknown market rule', [91, 4711], '322'],
    ['a type that does not exist', [4711, 77], '321'],
  ])('%s, which has no id, under -1', async (_, fields, code) => {
    const client = await connected();
    client.say(...fields);
    await client.inStep();
    expect(client.of(4).at(-1)?.slice(2, 4)).toEqual(['-1', code]);
  });
});

describe('what clients ask for in their first minute is answered', () => {
  it.each<readonly [what: string, fields: readonly Field[], ends: number]>([
    ['the positions of an account', [74, 1, 77, 'DU1234567', ''], 72],
    ['the values of an account', [76, 1, 77, 'DU1234567', '', false], 74],
    ['the values of all accounts', [76, 1, 77, 'All', '', false], 74],
    ['profit and loss', [92, 77, 'DU1234567', ''], 94],
    ['the profit of a position', [94, 77, 'DU1234567', '', 265598], 95],
    ['option chains', [78, 77, 'AAPL', '', 'STK', 265598], 76],
    ['symbols', [81, 77, 'AA'], 79],
    ['a market rule', [91, 26], 93],
    ['bars of five seconds', [88, 77, ...aapl, true, '1 day'], 89],
    ['past trades', [96, 77, ...aapl, false, '20260105 15:00:00', '', 10, 'TRADES', 1, false, ''], 98],
    ['past quotes', [96, 77, ...aapl, false, '', '20260105 15:00:00', 10, 'BID_ASK', 1, false, ''], 97],
    ['past midpoints', [96, 77, ...aapl, false, '20260105 15:00:00', '', 10, 'MIDPOINT', 1, false, ''], 96],
    ['tick-by-tick data', [97, 77, ...aapl, 'AllLast', 0, false], 99],
    ['family codes', [80], 78],
    ['exchanges with depth', [82], 80],
    ['smart components', [83, 77, 'a60001'], 82],
    ['soft dollar tiers', [79, 77], 77],
    ['news providers', [85], 85],
    ['scanner parameters', [24, 1], 19],
    ['the user', [104, 77], 107],
    ['the time in milliseconds', [105], 109],
  ])('%s', async (_, fields, ends) => {
    const client = await connected();
    client.say(...fields);
    await client.inStep();
    expect(client.of(ends)).toHaveLength(1);
    expect(client.codes().filter((code) => code < 2000)).toEqual([]);
  });

  it('the start of a client that asks for everything, over every version of the text protocol', async () => {
    for (const version of [100, 123, 135, 145, 157, 176, 178, 186, 193, 200]) {
      gateway = await startGateway({ messagesPerSecond: null, serverVersion: 200 });
      const client = await RawClient.ready({ port: gateway.port, clientId: 3, versions: `v100..${version}` });
      for (const fields of [
        [61, 1],
        [5, 1],
        [99, 0],
        [6, 2, 1, 'DU1234567'],
        [76, 1, 9, 'DU1234567', '', 0],
      ])
        client.say(...fields);
      client.say(7, 3, 10, 0, '', '', '', '', '', '');
      await client.inStep();
      const ends = [62, 53, 102, 54, 74, 55].map((type) => client.of(type).length);
      expect({ version, ends }).toEqual({ version, ends: [1, 1, 1, 1, 1, 1] });
      expect(client.of(9)[0]).toHaveLength(3);
      expect(client.of(15)[0]).toHaveLength(3);
      expect(client.of(6)).toContainEqual(['6', '2', 'AccountReady', 'true', '', 'DU1234567']);
      await client.hangUp();
      await gateway.close();
    }
  });
});
