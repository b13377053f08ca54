import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HistoryQuery } from '../../../ib/contracts.js';
import { IbError } from '../../../ib/errors.js';
import { fileBudget } from '../../../ib/file-budget.js';
import { createSharedPacer } from '../../../ib/shared-budget.js';
import type { Trial } from '../trial.js';
import { acquireAll, answered, type Scenario, stock, symbolOf, tally } from './scenario.js';

const LIMIT = 50;
const HEADROOM = 0.1;
const TEN_MINUTES_MS = 600_000;

/**
 * Added to the window of the pacing, by the clock of the run: 0.4 s of the machine at speed 4. If the gateway's process
 * gets no CPU for that long, messages of two seconds arrive within one, and that is not the pool's fault.
 */
export const STALL_MARGIN_MS = 1600;

export const messagePacing: Scenario = {
  name: 'message-pacing',
  title: 'more demand than the gateway takes: never above 50 messages a second, over all connections',
  speed: 4,
  lastsMs: 12_000,
  live: true,
  pacing: { marginMs: STALL_MARGIN_MS },
  async run(trial) {
    const demand = 160;
    const count = Math.max(2, trial.workers);
    const pool = trial.pool({ topology: 'worker', workers: count });
    const leases = await acquireAll(pool, count);
    const timeoutMs = trial.real(6000);
    const outcomes = await Promise.all(
      Array.from({ length: demand }, (_, at) => {
        const { connection } = leases[at % count] as (typeof leases)[number];
        return trial.ask<unknown>(() =>
          at % 4 === 0
            ? connection.contractDetails(stock('AAPL'), { timeoutMs })
            : connection.currentTime({ timeoutMs }),
        );
      }),
    );
    trial.check('all are answered', answered(outcomes).length === demand, tally(outcomes));
    const { pacing } = trial.outcome({ p99: 0, max: 0 }).figures;
    trial.check('no error 100', pacing.tooFast === 0, `${pacing.tooFast} times`);
    trial.check(
      'a tenth of the limit is left when they are sent',
      pacing.headroom >= HEADROOM - 1e-9,
      `${pacing.peakSecond} in the busiest second, of ${LIMIT}`,
    );
    for (const lease of leases) lease.release();
    if (trial.isLive) return;
    const { messages, errors } = await trial.counts();
    trial.check(
      'never above the limit where they arrive',
      messages.mostPerSecond <= LIMIT && (errors[100] ?? 0) === 0,
      `${messages.mostPerSecond} in the busiest second, error 100 ${errors[100] ?? 0} times`,
    );
  },
};

export const historyPacing: Scenario = {
  name: 'history-pacing',
  title: 'the rules of history: 15 s between identical requests, 6 in 2 s, 60 in ten minutes',
  // The gateway gives a handshake 30 s of it, which is less on the machine's.
  speed: 100,
  lastsMs: 760_000,
  async run(trial) {
    using lease = await trial.pool({ firstAttempts: 5 }).acquire();
    const { connection } = lease;
    const ask = (query: Partial<HistoryQuery>) =>
      trial.ask(() =>
        connection.historicalData(
          { contract: stock('AAPL'), duration: '600 S', barSize: '30 secs', ...query },
          { timeoutMs: trial.real(10_000) },
        ),
      );
    const same = await Promise.all([1, 2, 3, 4].map(() => ask({})));
    const asked = (await trial.counts()).history.requests;
    trial.check('four that ask the same at once share an answer', asked === 1, `${asked} at the gateway`);
    const rest = await Promise.all([
      // Identical to those, and soon after them.
      ask({}),
      ...[1, 2, 3, 4, 5, 6, 7].map((of) => ask({ duration: `${600 + 30 * of} S` })),
      ...Array.from({ length: 54 }, (_, at) => ask({ contract: stock(symbolOf(at)) })),
    ]);
    const outcomes = [...same, ...rest];
    trial.check('all are answered', answered(outcomes).length === outcomes.length, tally(outcomes));
    const { history } = await trial.counts();
    const refused = Object.entries(history.refused).map(([why, count]) => `${count} ${why}`);
    trial.check('none is refused', refused.length === 0, refused.join(', ') || `${history.requests} asked`);
    const longestMs = trial.outcome({ p99: 0, max: 0 }).figures.pacing.queueWait?.max ?? 0;
    const right = outcomes.every((bars) => !(bars instanceof IbError) && bars.length >= 20);
    trial.check('the answers are whole', right, `${answered(outcomes).length} of at least 20 bars`);
    trial.check(
      'those beyond 60 have waited ten minutes',
      longestMs >= 0.9 * TEN_MINUTES_MS,
      `the longest ${Math.round(longestMs / 1000)} s`,
    );
  },
};

export const sharedBudget: Scenario = {
  name: 'shared-budget',
  title:
    'two pools with a pacing each, as two processes have, and one budget in a file: within the limit together',
  speed: 1,
  lastsMs: 8000,
  async run(trial) {
    const folder = await mkdtemp(join(tmpdir(), 'poolctl-stress-'));
    try {
      await askTogether(trial, join(folder, 'budget.json'));
    } finally {
      // A message that was given up may be taking its room still.
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    }
  },
};

async function askTogether(trial: Trial, path: string): Promise<void> {
  const { clock } = trial;
  const budget = () => fileBudget(path, { clock });
  const pools = [0, 1].map((at) => {
    const pacer = createSharedPacer({ budget: budget(), clock, marginMs: 400 });
    return trial.pool({ clientId: trial.clientIdBase + at, pacer });
  });
  const leases = await Promise.all(pools.map((pool) => pool.acquire()));
  try {
    const timeoutMs = trial.real(20_000);
    const demand = 60;
    const outcomes = await Promise.all(
      leases.flatMap(({ connection }) =>
        Array.from({ length: demand }, () => trial.ask(() => connection.currentTime({ timeoutMs }))),
      ),
    );
    trial.check('all are answered', answered(outcomes).length === 2 * demand, tally(outcomes));
    const { messages, errors } = await trial.counts();
    trial.check(
      'never above the limit together',
      messages.mostPerSecond <= LIMIT && (errors[100] ?? 0) === 0,
      `${messages.mostPerSecond} in the busiest second, error 100 ${errors[100] ?? 0} times`,
    );
  } finally {
    for (const lease of leases) lease.release();
    for (const pool of pools) await trial.close(pool);
  }
}
