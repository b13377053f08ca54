import type { Clock } from '../../base/clock.js';
import { IbConnection } from '../../ib/connection.js';
import { createPacer } from '../../ib/pacing.js';
import { createIbPool } from '../../ib/pool.js';
import type { Gateways } from './gateways.js';
import { spreadOf } from './meter.js';
import { stock } from './scenarios/scenario.js';
import type { IbBaseline } from './types.js';

/** So many ids in turn: a gateway may not have noticed yet that the last connection has gone. */
const IDS = 16;

/** The same calls with a connection for each, as before there was a pool, and over one of the pool. */
export async function measureBaseline(
  gateways: Gateways,
  {
    calls,
    clientIdBase,
    seed,
    clock,
    stop,
  }: {
    readonly calls: number;
    readonly clientIdBase: number;
    readonly seed: number;
    readonly clock: Clock;
    readonly stop: AbortSignal;
  },
): Promise<IbBaseline | null> {
  await using gateway = await gateways.start({ seed, messagesPerSecond: null });
  const { host, port, control } = gateway;
  // A pacing would make both as long as their messages take. What is real has its limits all the same.
  const pacer = createPacer({ clock, enabled: control === null });
  const timed = async (call: () => Promise<unknown>): Promise<number> => {
    const since = clock.now();
    await call();
    return clock.now() - since;
  };
  const unpooled: number[] = [];
  for (let call = 0; call < calls && !stop.aborted; call++) {
    unpooled.push(
      await timed(async () => {
        const clientId = clientIdBase + (call % IDS);
        await using connection = new IbConnection({ host, port, clientId }, { pacer, clock });
        return await connection.contractDetails(stock('AAPL'));
      }),
    );
  }
  await using pool = createIbPool({ host, port, clientId: clientIdBase + IDS, pacer, clock });
  const pooled: number[] = [];
  for (let call = 0; call < calls && !stop.aborted; call++) {
    pooled.push(await timed(() => pool.withIb((connection) => connection.contractDetails(stock('AAPL')))));
  }
  const [before, after] = [spreadOf(unpooled), spreadOf(pooled)];
  if (stop.aborted || before === null || after === null) return null;
  const [unpooledMs, pooledMs] = [sum(unpooled), sum(pooled)];
  return { calls, unpooledMs, pooledMs, saved: 1 - pooledMs / unpooledMs, unpooled: before, pooled: after };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
