import type { Bar, Contract } from '../../../ib/contracts.js';
import { IbError } from '../../../ib/errors.js';
import { STALL_MARGIN_MS } from './pacing.js';
import { answered, type Scenario, stock, tally } from './scenario.js';

const READS = 150;
/** So many reads may be sent between asking for an order and sending it: those that were let go already. */
const MOST_BEFORE = 10;
const WAITERS = 5;

export const urgentFirst: Scenario = {
  name: 'urgent-first',
  title: 'orders and cancels while the queue is full of reads: they go ahead of everything that waits',
  speed: 4,
  lastsMs: 14_000,
  pacing: { marginMs: STALL_MARGIN_MS },
  async run(trial) {
    using lease = await trial.pool().acquire();
    const { connection } = lease;
    const sent: string[] = [];
    const timeoutMs = trial.real(20_000);
    const reads = Array.from({ length: READS }, () => trial.ask(() => connection.currentTime({ timeoutMs })));
    await trial.until('the queue is full', () => trial.meter.stamps.length >= 40);
    trial.meter.onSent = (method) => void sent.push(method);
    const order = connection.placeOrder(stock('AAPL'), LIMIT_ORDER, { timeoutMs });
    const accepted = await trial.ask(() => order.accepted);
    const canceled = await trial.ask(() => order.cancel({ timeoutMs }));
    const waiting = trial.pacer.snapshot()?.waiting ?? 0;
    trial.check(
      'the order and its cancel are answered',
      !(accepted instanceof IbError) && !(canceled instanceof IbError),
      tally([accepted, canceled]),
    );
    for (const method of ['placeOrder', 'cancelOrder']) {
      const at = sent.indexOf(method);
      const before = sent.slice(0, at).filter((one) => one === 'reqCurrentTime').length;
      trial.check(`${method} goes first`, at >= 0 && before <= 2 * MOST_BEFORE, `${before} reads before it`);
    }
    trial.check('reads still wait then', waiting > 0, `${waiting} in the queue`);
    const outcomes = await Promise.all(reads);
    trial.check('and all are answered', answered(outcomes).length === READS, tally(outcomes));
    const { errors } = await trial.counts();
    trial.check('no error 100', (errors[100] ?? 0) === 0, `${errors[100] ?? 0} times`);
  },
};

export const freshHistory: Scenario = {
  name: 'fresh-history',
  title: 'the same history again, later: those who ask at once share an answer, later ones get a new one',
  speed: 20,
  lastsMs: 60_000,
  async run(trial) {
    using lease = await trial.pool().acquire();
    const { connection } = lease;
    const query = { contract: BITCOIN, duration: '60 S', barSize: '5 secs', whatToShow: 'AGGTRADES' };
    const ask = () => trial.ask(() => connection.historicalData(query, { timeoutMs: trial.real(20_000) }));
    const first = await Promise.all([ask(), ask(), ask()]);
    const asked = (await trial.counts()).history.requests;
    trial.check(
      'three at once are one request',
      asked === 1 && answered(first).length === 3,
      `${asked}; ${tally(first)}`,
    );
    await trial.sleep(20_000);
    const second = await ask();
    const { requests } = (await trial.counts()).history;
    trial.check('a later one is a request of its own', requests === 2, `${requests} at the gateway`);
    trial.check(
      'with bars that were not there before',
      lastOf(second) > lastOf(first[0]),
      `up to ${lastOf(first[0]) || 'nothing'}, then up to ${lastOf(second) || 'nothing'}`,
    );
    await trial.inject({ kind: 'error', code: 200, requests: ['history'] });
    await trial.sleep(20_000);
    const failed = await ask();
    trial.check('a failure is told', failed instanceof IbError, tally([failed]));
    await trial.sleep(20_000);
    const last = await ask();
    trial.check('and not kept', !(last instanceof IbError), tally([last]));
  },
};

export const waitersAtClose: Scenario = {
  name: 'waiters-at-close',
  title: 'a pool that is closed while callers wait for a lease, and for answers: each of them hears of it',
  speed: 1,
  lastsMs: 3000,
  async run(trial) {
    const pool = trial.pool({ topology: 'worker', workers: 1 });
    const lease = await pool.acquire();
    let closing = Promise.resolve();
    try {
      await trial.inject({ kind: 'mute', requests: ['contractDetails'] });
      const told: unknown[] = [];
      const waits = (request: () => Promise<unknown>) =>
        void trial.ask(request).then(
          (outcome) => told.push(outcome),
          (error: unknown) => told.push(error),
        );
      for (let waiter = 0; waiter < WAITERS; waiter++) waits(() => pool.acquire());
      waits(() => lease.connection.contractDetails(stock('AAPL'), { timeoutMs: 1e9 }));
      await trial.until('they wait', () => pool.snapshot().waiting === WAITERS);
      await trial.until('and the request is sent', async () => (await trial.counts()).messages.muted === 1);
      closing = trial.close(pool);
      const isClosed = (one: unknown) => one instanceof IbError && one.code === 'ERR_IB_CLOSED';
      await trial.becomes(() => told.length === WAITERS + 1);
      trial.check(
        'all hear that the pool is closed',
        told.filter(isClosed).length === WAITERS + 1,
        `${told.filter(isClosed).length} of ${WAITERS + 1}`,
      );
    } finally {
      lease.release();
    }
    await closing;
    await trial.fails('afterwards nobody is let in', 'ERR_IB_CLOSED', () => pool.acquire());
  },
};

export const listeners: Scenario = {
  name: 'listeners',
  title: 'listeners that throw: those beside them, the stream and the connection go on',
  speed: 1,
  lastsMs: 3000,
  gateway: { tickIntervalMs: 20 },
  async run(trial) {
    const broken = (): never => {
      throw new Error('a listener that throws');
    };
    using lease = await trial.pool({ onNotice: broken }).acquire();
    const { connection } = lease;
    const ticks = { same: 0, other: 0 };
    const streams = [
      connection.subscribe(stock('AAPL'), broken, { onMessage: broken, onType: broken, onError: broken }),
      connection.subscribe(stock('AAPL'), () => void ticks.same++),
      connection.subscribe(stock('MSFT'), () => void ticks.other++),
      connection.subscribe(stock('NOSUCH'), broken, { onError: broken }),
    ];
    const stopListening = connection.onOrder(broken);
    const goOn = await trial.until('the others receive ticks', () => ticks.same > 10 && ticks.other > 10);
    if (!goOn) return;
    const order = connection.placeOrder(stock('AAPL'), { ...LIMIT_ORDER, orderType: 'MKT' });
    order.on(broken);
    await trial.until('an order is filled', () => order.state === 'filled');
    await trial.inject({ kind: 'farm', code: 2103 });
    await trial.inject({ kind: 'farm', code: 2104 });
    const time = await trial.ask(() => connection.currentTime());
    trial.check('requests are answered', !(time instanceof IbError), tally([time]));
    const { reconnects, subscriptions } = connection.figures();
    trial.check('the connection stays', reconnects === 0, `${reconnects} reconnects`);
    trial.check(
      'what was thrown is counted',
      subscriptions.listenerErrors > 0,
      `${subscriptions.listenerErrors} errors`,
    );
    stopListening();
    for (const stream of streams) stream.close();
  },
};

export const advisories: Scenario = {
  name: 'advisories',
  title: 'advisories and refusals of market data: streams that go on are kept, every subscriber hears',
  speed: 1,
  lastsMs: 4000,
  gateway: { tickIntervalMs: 20, marketDataLines: 3 },
  async run(trial) {
    using lease = await trial.pool().acquire();
    const { connection } = lease;
    const codes = [10197, 10090] as const;
    for (const [at, code] of codes.entries())
      await trial.inject({
        kind: 'error',
        code,
        effect: 'advise',
        requests: ['marketData'],
        symbol: symbolsOf[at] ?? '',
      });
    await trial.inject({ kind: 'error', code: 354, requests: ['marketData'], symbol: 'IBM' });
    const follow = (symbol: string) => {
      const heard = { ticks: 0, messages: [] as number[], errors: 0 };
      const stream = connection.subscribe(stock(symbol), () => void heard.ticks++, {
        onMessage: ({ ibCode }) => void heard.messages.push(ibCode),
        onError: () => void heard.errors++,
      });
      return { heard, stream };
    };
    const kept = symbolsOf.flatMap((symbol) => [follow(symbol), follow(symbol)]);
    if (!(await trial.until('ticks follow an advisory', () => kept.every(({ heard }) => heard.ticks > 5))))
      return;
    trial.check(
      'every subscriber hears the advisory, and no error',
      kept.every(({ heard }, at) => heard.messages.join() === String(codes[at >> 1]) && heard.errors === 0),
      kept.map(({ heard }) => `${heard.messages.join(' ') || 'nothing'}, ${heard.errors} errors`).join('; '),
    );
    const refused = [follow('IBM'), follow('IBM')];
    await trial.until('every subscriber hears a refusal', () =>
      refused.every(({ heard }) => heard.errors === 1),
    );
    const open = async () => (await trial.counts()).subscriptions.open.marketData;
    trial.check('a refused stream holds no line', (await open()) === codes.length, `${await open()} lines`);
    for (const { stream } of [...kept, ...refused]) stream.close();
    await trial.until('closed streams hold none', async () => (await open()) === 0);
  },
};

const LIMIT_ORDER = { action: 'BUY', orderType: 'LMT', totalQuantity: 1, lmtPrice: 1 };
/** It is traded at any time, so that there are always new bars. */
const BITCOIN: Contract = { symbol: 'BTC', secType: 'CRYPTO', exchange: 'PAXOS', currency: 'USD' };
const symbolsOf = ['AAPL', 'MSFT'] as const;

function lastOf(bars: Bar[] | IbError | undefined): string {
  return bars === undefined || bars instanceof IbError ? '' : (bars.at(-1)?.time ?? '');
}
