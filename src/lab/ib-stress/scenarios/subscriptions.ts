import type { IbConnection } from '../../../ib/connection.js';
import type { Subscription } from '../../../ib/subscriptions.js';
import type { Trial } from '../trial.js';
import { acquireAll, type Scenario, stock, symbolOf } from './scenario.js';

const CYCLES = 1000;
const LANES = 10;
const DROPS = 4;

export const subscriptionLeak: Scenario = {
  name: 'subscription-leak',
  title: '1,000 subscriptions begun and ended, with drops between them: as many open here as there, none',
  speed: 1,
  lastsMs: 15_000,
  // This does not test the pacing, which would make it last a minute.
  gateway: { messagesPerSecond: null, tickIntervalMs: 20 },
  pacing: { limitPerSecond: 5000 },
  async run(trial) {
    const pool = trial.pool({ topology: 'worker', workers: 2, reconnectMs: 10 });
    const leases = await acquireAll(pool, 2);
    const all = leases.map(({ connection }) => connection);
    let done = 0;
    let drops = 0;
    let dropping: Promise<unknown> = Promise.resolve();
    const areReady = () => all.every(({ state }) => state.kind === 'ready');
    const drop = async (): Promise<void> => {
      // One that is just coming back would not count twice.
      await trial.becomes(areReady);
      await trial.inject({ kind: 'drop', pick: 1 });
      await trial.becomes(() => lostOf(all) === drops);
    };
    await Promise.all(
      Array.from({ length: LANES }, async (_, lane) => {
        const connection = all[lane % 2] as IbConnection;
        for (let cycle = 0; cycle < CYCLES / LANES; cycle++) {
          // Two lanes of a connection want the same now and then: they share a stream.
          const symbol = symbolOf(cycle % 5 === 0 ? lane % 2 : lane);
          const stream = await untilTick(connection, symbol);
          stream.close();
          done++;
          if (drops >= DROPS || done < ((drops + 1) * CYCLES) / (DROPS + 1)) continue;
          drops++;
          dropping = dropping.then(drop);
          await dropping;
        }
      }),
    );
    trial.check('all were begun and ended', done === CYCLES, `${done} of ${CYCLES}`);
    await trial.until('all connections are ready', areReady);
    await sameAsGateway(trial, all);
    for (const lease of leases) lease.release();
  },
};

async function sameAsGateway(trial: Trial, all: readonly IbConnection[]): Promise<void> {
  const wanted = () => all.reduce((sum, one) => sum + one.figures().subscriptions.wanted, 0);
  const lost = lostOf(all);
  trial.check('the connections were dropped', lost === DROPS, `${lost} times of ${DROPS}`);
  await trial.becomes(
    async () => (await trial.counts()).subscriptions.open.marketData === 0,
    trial.real(2000),
  );
  const { open, opened, canceled, dropped } = (await trial.counts()).subscriptions;
  trial.check(
    'none is open, here or there',
    open.marketData === 0 && wanted() === 0,
    `${wanted()} here, ${open.marketData} there; ${opened} opened, ${canceled} ended, ${dropped} dropped`,
  );
}

function lostOf(all: readonly IbConnection[]): number {
  return all.reduce((sum, one) => sum + one.figures().supervisor.lost, 0);
}

/** Resolves with the first tick. */
function untilTick(connection: IbConnection, symbol: string): Promise<Subscription> {
  return new Promise((resolve) => {
    const stream: Subscription = connection.subscribe(stock(symbol), () => resolve(stream));
  });
}
