import { afterEach, describe, expect, it } from 'vitest';
import { createIbPool, type IbPoolOptions } from '../../src/ib/pool.js';
import { type Gateway, type GatewayOptions, startGateway } from '../../src/lab/ib-gateway/index.js';
import { watch } from '../../src/watch/index.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/guarded.js';
import { type Application, provesRepair, publishOn } from './applications.js';
import { examine } from './bench.js';

const QUICK = { handshakeTimeoutMs: 5000, heartbeatMs: 60_000, reconnectMs: 20 };

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function gatewayWith(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await startGateway(options);
  endings.push(() => gateway.close());
  return gateway;
}

function broker(
  gateway: Gateway,
  options: IbPoolOptions,
  work: (pool: ReturnType<typeof createIbPool>) => Promise<unknown> = async (pool) => {
    (await pool.acquire()).release();
  },
): Application {
  return {
    options: { name: 'broker', port: gateway.port, ...QUICK, ...options },
    async start(given) {
      const pool = createIbPool(given as IbPoolOptions);
      await work(pool);
      return { pools: [pool], end: () => pool.close({ graceMs: 0 }) };
    },
  };
}

describe('a check of connections to a broker', () => {
  it('ib-client-ids: another one has that id', async () => {
    const gateway = await gatewayWith();
    const other = createIbPool({ port: gateway.port, ...QUICK, clientId: 1 });
    endings.push(() => other.close({ graceMs: 0 }));
    const lease = await other.acquire();
    const application = broker(gateway, { clientId: 1 }, async (pool) => {
      await pool.acquire().then(
        (one) => one.release(),
        () => {},
      );
    });
    const [before, after] = await provesRepair('ib-client-ids', 'fail', application);
    lease.release();
    expect(before.summary).toBe(`broker: client id 1 is in use at 127.0.0.1:${gateway.port}`);
    expect(before.fix?.steps[0]?.text).toMatch(/: set clientId: 33$/);
    expect(after.summary).toBe('broker: 1 in use, 31 free');
  });

  it('ib-pacing: the pool may send as much as the gateway allows', async () => {
    const gateway = await gatewayWith();
    const [before] = await provesRepair(
      'ib-pacing',
      'warn',
      broker(gateway, { pacing: { messagesPerSecond: 50 } }),
    );
    expect(before.summary).toBe('broker: the pool may send 50 of 50 messages per second');
  });

  it('ib-pacing: more was sent than is allowed', async () => {
    const gateway = await gatewayWith({ messagesPerSecond: null });
    const application = broker(
      gateway,
      { pacing: { limitPerSecond: 5, messagesPerSecond: 20, marginMs: 0 } },
      (pool) =>
        pool.withIb(async (connection) => {
          await Promise.all(Array.from({ length: 9 }, () => connection.currentTime()));
        }),
    );
    const [before, after] = await provesRepair('ib-pacing', 'fail', application);
    expect(before.summary).toMatch(/^broker: \d+ messages in one second; the limit is 5$/);
    expect(after.summary).toMatch(/^broker: at most [1-4] of 5 messages per second$/);
  });

  it('ib-pacing: two processes that may send too much together', async () => {
    const gateway = await gatewayWith();
    const look = async (messagesPerSecond: number) => {
      const ends: (() => unknown)[] = [];
      const targets: string[] = [];
      for (const pid of [42, 43]) {
        const pool = createIbPool({
          ...{ ...QUICK, name: 'broker', port: gateway.port, clientId: pid },
          pacing: { messagesPerSecond },
        });
        (await pool.acquire()).release();
        const port = await freePort();
        ends.push(await publishOn(port, [watch(pool)], pid), () => pool.close({ graceMs: 0 }));
        targets.push(`pool:127.0.0.1:${port}`);
      }
      const { results } = await examine([...targets, '--only=ib-pacing']);
      for (const end of ends) await end();
      return results;
    };
    const before = await look(45);
    expect(before.map(({ status, summary }) => `${status} ${summary.replace(/ #\d/, '')}`)).toEqual(
      Array(2).fill('warn broker: 2 clients of the gateway may send 90 messages per second; the limit is 50'),
    );
    const [, rate = ''] =
      /set pacing.messagesPerSecond: (\d+)$/.exec(before[0]?.fix?.steps[0]?.text ?? '') ?? [];
    expect((await look(Number(rate))).map(({ status }) => status)).toEqual(['pass', 'pass']);
  });

  it('ib-reconnects: a gateway that drops its clients again and again', async () => {
    const gateway = await gatewayWith();
    let broken = true;
    const application: Application = {
      ...broker(gateway, {}, async (pool) => {
        await pool.withIb(async (connection) => {
          for (let lost = 1; broken && lost <= 3; lost++) {
            await gateway.inject({ kind: 'drop' });
            await eventually(() => {
              const { supervisor, state } = connection.figures();
              return supervisor.lost >= lost && state === 'ready';
            });
          }
        });
      }),
      repair(texts) {
        expect(texts[0]).toContain(`poolctl ib ping 127.0.0.1:${gateway.port}`);
        broken = false;
        return { name: 'broker', port: gateway.port, ...QUICK };
      },
    };
    const [before, after] = await provesRepair('ib-reconnects', 'warn', application);
    expect(before.summary).toBe('broker: lost 3 times in 1 min');
    expect(after.summary).toBe('broker: lost 0 times in 1 min');
  });

  it('ib-reconnects: one that does not come up', async () => {
    const gateway = await gatewayWith();
    let broken = true;
    const application: Application = {
      ...broker(gateway, {}, async (pool) => {
        const lease = await pool.acquire();
        const { connection } = lease;
        if (!broken) return;
        const fault = await gateway.inject({ kind: 'refuse' });
        await gateway.inject({ kind: 'drop' });
        await eventually(() => connection.figures().supervisor.attempts >= 6);
        endings.push(async () => void (await gateway.heal(fault)));
      }),
      async repair() {
        broken = false;
        await gateway.heal();
        return { name: 'broker', port: gateway.port, ...QUICK };
      },
    };
    const [before] = await provesRepair('ib-reconnects', 'fail', application);
    expect(before.summary).toBe('broker: 1 of 1 connections do not come up');
  });
});
