import type { IbConnection } from '../../../ib/connection.js';
import { IbError } from '../../../ib/errors.js';
import type { IbLease } from '../../../ib/pool.js';
import type { Trial } from '../trial.js';
import { acquireAll, answered, isLost, type Scenario, stock, symbolOf, tally } from './scenario.js';

const DAY_HISTORY = { duration: '60 D', barSize: '1 day' };
const LIMIT_ORDER = { action: 'BUY', orderType: 'LMT', totalQuantity: 1, lmtPrice: 1 };
/** As often as a read may be sent again. */
const RETRIES = 3;
const BACK_MS = 30_000;

export const dropMidRequest: Scenario = {
  name: 'drop-mid-request',
  title: 'connections reset in the middle of an answer: reads are repeated, orders never',
  speed: 1,
  lastsMs: 8000,
  async run(trial) {
    const pool = trial.pool({ topology: 'worker', workers: 4, reconnectMs: 20 });
    const leases = await acquireAll(pool, 4);
    const all = leases.map(({ connection }) => connection);
    const reads: unknown[] = [];
    const orders: unknown[] = [];
    for (let round = 1; round <= 3; round++) {
      // In the first answer, which is that to the order, and then anywhere.
      const within = round === 1 ? 20 : 1500;
      await trial.inject({ kind: 'drop', afterBytes: 1 + Math.floor(trial.random() * within) });
      await Promise.all(
        all.map(async (connection, at) => {
          const orderId = await connection.nextOrderId();
          const [order, ...rest] = await Promise.all([
            trial.ask(() => connection.placeOrder(orderId, stock('AAPL'), LIMIT_ORDER)),
            trial.ask(() => connection.historicalData({ contract: stock(symbolOf(at)), ...DAY_HISTORY })),
            trial.ask(() => connection.contractDetails(stock('MSFT'))),
            trial.ask(() => connection.contractDetails(stock('AAPL'))),
            trial.ask(() => connection.currentTime()),
          ]);
          orders.push(order);
          reads.push(...rest);
        }),
      );
      await trial.until(`round ${round}: all were dropped, and are back`, () =>
        all.every((one) => one.figures().supervisor.lost >= round && one.state.kind === 'ready'),
      );
    }
    trial.check('every read has its answer', answered(reads).length === reads.length, tally(reads));
    const settled = orders.filter((order) => !(order instanceof IbError) || isLost(order));
    trial.check(
      'an order is answered, or its loss is told',
      settled.length === orders.length,
      `${answered(orders).length} answered, ${orders.filter(isLost).length} lost`,
    );
    const requests = all.map((connection) => connection.figures().requests);
    const [lost, retried] = [sum(requests.map((r) => r.lost)), sum(requests.map((r) => r.retried))];
    trial.check(
      'reads are repeated, no oftener than they may',
      retried > 0 && retried <= RETRIES * reads.length,
      `${lost} lost, ${retried} repeated`,
    );
    const { byId } = (await trial.counts()).orders;
    const most = Math.max(0, ...Object.values(byId));
    trial.check(
      'no order came twice',
      most <= 1,
      `${Object.keys(byId).length} orders, each sent ${most} times at most`,
    );
    release(leases);
  },
};

export const halfOpen: Scenario = {
  name: 'half-open',
  title: 'a peer that neither reads nor writes any more, and never hangs up: found by the heartbeat',
  speed: 10,
  lastsMs: 20_000,
  async run(trial) {
    const [heartbeatMs, heartbeatTimeoutMs] = [5000, 5000];
    const pool = trial.pool({ topology: 'worker', workers: 3, heartbeatMs, heartbeatTimeoutMs });
    const leases = await acquireAll(pool, 3);
    const [frozen, ...others] = leases.map(({ connection }) => connection) as [IbConnection];
    const fault = await trial.inject({ kind: 'half-open', clientIds: [frozen.clientId] });
    const pending = trial.ask(() => frozen.contractDetails(stock('AAPL'), { timeoutMs: trial.real(30_000) }));
    await trial.until(
      'it is noticed within the deadline of the heartbeat and one interval',
      () => frozen.figures().supervisor.lost > 0,
      heartbeatMs + heartbeatTimeoutMs + trial.real(500),
    );
    await trial.heal(fault);
    await trial.until('it is ready again', () => frozen.state.kind === 'ready');
    const answer = frozen.state.kind === 'ready' ? await pending : new IbError('ERR_IB_CLOSED', 'not ready');
    trial.check('what was under way is answered', !(answer instanceof IbError), tally([answer]));
    const lost = sum(others.map((connection: IbConnection) => connection.figures().supervisor.lost));
    trial.check('the others are left alone', lost === 0, `${lost} lost`);
    release(leases);
  },
};

export const autoRestart: Scenario = {
  name: 'auto-restart',
  title: 'the daily restart: all 16 connections reset, 5 s of refusal; back within 30 s, not all at once',
  speed: 5,
  lastsMs: 32_000,
  async run(trial) {
    const count = 16;
    const pool = trial.pool({ topology: 'worker', workers: count, reconnectMs: 100, reconnectMostMs: 5000 });
    await pool.warm();
    const ids = pool.snapshot().ib.clientIds;
    const dialled = trial.meter.dials.length;
    await trial.inject({ kind: 'restart', downMs: 5000 });
    const figures = () => pool.snapshot().ib.connections;
    await trial.until('all notice', () => figures().every(({ supervisor }) => supervisor.lost > 0));
    await trial.until(
      'all are back within 30 s',
      () => figures().every(({ state, reconnects }) => state === 'ready' && reconnects === 1),
      BACK_MS,
    );
    const { clients } = await trial.counts();
    trial.check(
      'each has the id that it had',
      clients.ids.join() === ids.join(),
      `${clients.ids.length} ids at the gateway`,
    );
    const waits = firstWaits(trial);
    const spreadMs = Math.max(...waits) - Math.min(...waits);
    trial.check('the first attempts are spread', spreadMs >= 50, `over ${Math.round(spreadMs)} ms`);
    const attempts = trial.meter.dials.length - dialled;
    trial.check('they do not hammer', attempts <= 20 * count, `${attempts} attempts of ${count} connections`);
  },
};

export const badInput: Scenario = {
  name: 'bad-input',
  title: 'the port moved (1300), frames of garbage, impossible lengths, a version that nobody speaks',
  speed: 1,
  lastsMs: 8000,
  async run(trial) {
    const pool = trial.pool({
      reconnectMs: 20,
      heartbeatMs: trial.real(500),
      heartbeatTimeoutMs: trial.real(1000),
    });
    using lease = await pool.acquire();
    const { connection } = lease;
    const works = async (name: string): Promise<void> => {
      const timeoutMs = trial.real(8000);
      const answer = await trial.ask(() => connection.contractDetails(stock('AAPL'), { timeoutMs }));
      trial.check(name, !(answer instanceof IbError), tally([answer]));
    };
    await trial.inject({ kind: 'move-port', port: 0 });
    await trial.until(
      'the loss is noticed',
      () => connection.figures().reconnects > 0 || connection.state.kind !== 'ready',
    );
    const port = await trial.gatewayPort();
    await trial.until(
      'it follows to the new port',
      () => connection.state.kind === 'ready' && connection.figures().port === port,
    );
    if (connection.state.kind !== 'ready') return;
    await works('it works there');
    await trial.inject({ kind: 'garbage', bytes: 64 });
    await works('a frame of garbage does not stop it');
    for (const length of [0x7fff_ffff, 0xffff_fffc]) {
      const { lost } = connection.figures().supervisor;
      await trial.inject({ kind: 'corrupt-length', length });
      void trial.ask(() => connection.currentTime({ timeoutMs: trial.real(8000) }));
      await trial.until(
        `a frame of length ${length | 0} is not waited for`,
        () => connection.figures().supervisor.lost > lost,
      );
      await works('it works again');
    }
    await trial.inject({ kind: 'server-version', version: 210, times: 1 });
    const other = trial.pool({ clientId: trial.clientIdBase + 1, port });
    await trial.fails('a version that nobody speaks is told', 'ERR_IB_VERSION', () => other.acquire());
  },
};

export const shutdown: Scenario = {
  name: 'shutdown',
  title: 'closed under load: what is under way has its time, the rest is told, nothing is left',
  speed: 1,
  lastsMs: 4000,
  async run(trial) {
    const graceMs = trial.real(3000);
    const orderly = trial.pool({ topology: 'worker', workers: 4 });
    const outcomes: unknown[] = [];
    let isOn = true;
    const leases = await acquireAll(orderly, 4);
    const work = leases.map(async (lease) => {
      const { connection } = lease;
      const streams = [0, 1].map((at) => connection.subscribe(stock(symbolOf(at)), () => {}));
      while (isOn) outcomes.push(await trial.ask(() => connection.contractDetails(stock('AAPL'))));
      for (const stream of streams) stream.close();
      lease.release();
    });
    await trial.until('all are at work', () => outcomes.length >= 8);
    const since = trial.clock.now();
    const closing = trial.close(orderly, graceMs);
    isOn = false;
    await Promise.all([closing, ...work]);
    const tookMs = trial.clock.now() - since;
    trial.check('it ends within the grace', tookMs <= graceMs + trial.real(500), `${Math.round(tookMs)} ms`);
    trial.check(
      'what was under way is answered',
      answered(outcomes).length === outcomes.length,
      tally(outcomes),
    );
    const isGone = await trial.until('no socket is left', () => nobodyIsThere(trial));
    if (isGone) await noGrace(trial);
  },
};

/** A caller that never returns its lease gets an error. */
async function noGrace(trial: Trial): Promise<void> {
  await trial.inject({ kind: 'mute' });
  const pool = trial.pool({ topology: 'worker', workers: 2, clientId: trial.clientIdBase + 8 });
  const leases = await acquireAll(pool, 2);
  const hanging = leases.map(({ connection }) => trial.ask(() => connection.contractDetails(stock('AAPL'))));
  await trial.becomes(async () => (await trial.counts()).messages.muted >= 2);
  await trial.close(pool, 50);
  const codes = (await Promise.all(hanging)).map((one) => (one instanceof IbError ? one.code : 'answered'));
  trial.check(
    'what nobody returns is told that it was closed',
    codes.every((code) => code === 'ERR_IB_CLOSED'),
    codes.join(', '),
  );
  await trial.until('no socket is left of that either', () => nobodyIsThere(trial));
  release(leases);
}

async function nobodyIsThere(trial: Trial): Promise<boolean> {
  return (await trial.counts()).connections.open === 0;
}

/** How long each connection was to wait before it tried again the first time. */
function firstWaits({ log }: Trial): number[] {
  const waits = new Map<number, number>();
  for (const { entry } of log) {
    if (entry.kind === 'lost' && !waits.has(entry.clientId)) waits.set(entry.clientId, entry.retryInMs);
  }
  return [...waits.values()];
}

function release(leases: readonly IbLease[]): void {
  for (const lease of leases) lease.release();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
