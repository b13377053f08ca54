import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/diagnosis/diagnose.js';
import { factsOf } from '../../src/diagnosis/facts.js';
import { momentOf } from '../../src/diagnosis/moment.js';
import {
  brokerConnection,
  brokerFigures,
  brokerPacing,
  type IbConnectionReading,
  type IbPacingReading,
  type IbReading,
} from '../../src/snapshot/broker.js';
import type { PoolReading } from '../../src/snapshot/reading.js';
import { onceReport } from '../../src/top/report.js';
import { read } from '../helpers/snapshots.js';
import { holder, keys, pool, screenAfter, source, tick, ticked } from './helpers.js';
import { frameOf } from './render.js';

function connection(own: Partial<IbConnectionReading> = {}): IbConnectionReading {
  return read(brokerConnection, {
    ...{ clientId: 1, state: 'ready', upstream: 'up', attempts: 1, ready: 1, lost: 0 },
    ...{ heartbeatsMissed: 0, idCollisions: 0, ...own },
  });
}

function pacing(own: Partial<IbPacingReading> = {}): IbPacingReading {
  return read(brokerPacing, {
    ...{ limitPerSecond: 50, messagesPerSecond: 45, peakSecond: 45, sent: 900, waiting: 0, ...own },
  });
}

function broker(own: Partial<IbReading> = {}, of: Partial<PoolReading> = {}): PoolReading {
  const ib = read(brokerFigures, {
    ...{ host: '127.0.0.1', port: 7497, clientIds: [1, 2], clientIdsFree: 30 },
    pacing: pacing(),
    connections: [
      connection(),
      connection({ clientId: 2, ready: 3, lost: 2, attempts: 4, idCollisions: 1, heartbeatsMissed: 1 }),
    ],
    ...own,
  });
  return pool({
    name: 'broker',
    driver: 'ib-worker',
    size: 2,
    maxOverflow: 0,
    overflow: 0,
    live: 2,
    ib,
    ...of,
  });
}

const told = (one: PoolReading) => tick(source({ pools: [one] }));
const wordsOf = (one: PoolReading) => diagnose(factsOf(told(one)), { history: new Map(), cwd: '/app' });

describe('a pool of broker connections', () => {
  it('has its ids, its pacing and its reconnects in the report', () => {
    const report = onceReport(momentOf(told(broker()), null, { cwd: '/app' }), {
      ...{ width: 110, unicode: true, color: false, cwd: '/app' },
    });
    expect(report).toContain(
      'Broker 127.0.0.1:7497, pacing 45 of 50/s at most, headroom 10 %, 2 reconnects, 30 client ids free',
    );
    expect(report).toMatch(/^ +1 ready +up +0 +0 +1 +0 +0/m);
    expect(report).toMatch(/^ +2 ready +up +2 +2 +4 +1 +1/m);
  });

  it('opens on the screen to its connections, and further to its leases', () => {
    const one = broker({}, { holders: [holder({ site: '/app/src/trade.ts:7:3' })] });
    const seen = (...names: string[]) =>
      frameOf(screenAfter([ticked(told(one)), ...keys(...names)]), {
        ...{ unicode: true, color: false, cwd: '/app' },
      }).join('\n');
    const connections = seen('enter');
    expect(connections).toContain('Pools › Broker 127.0.0.1:7497');
    expect(connections).toContain('CLIENT ID');
    expect(connections).toMatch(/2 ready +up +2/);
    expect(seen('enter', 'enter')).toContain('src/trade.ts:7');
  });

  it.each<readonly [string, PoolReading, object]>([
    ['all is well', broker(), { severity: 'good' }],
    [
      'a connection is down',
      broker({ connections: [connection(), connection({ clientId: 2, state: 'waiting', lost: 1 })] }),
      {
        severity: 'bad',
        cause: 'broker-link',
        words: 'broker: 1 of 2 connections to 127.0.0.1:7497 down, connecting anew',
      },
    ],
    [
      'a connection is dialled for the first time',
      broker({ connections: [connection({ state: 'connecting', ready: 0, upstream: null })] }),
      { severity: 'good' },
    ],
    [
      'the gateway has lost its own connection',
      broker({ connections: [connection({ upstream: 'down' })] }, { waiting: 2 }),
      {
        severity: 'bad',
        cause: 'broker-link',
        words: expect.stringMatching(/has lost its own connection to IB; .*; 2 waiting$/),
      },
    ],
    [
      'there is no gateway',
      broker({ connections: [] }, { live: 0, createError: 'connect ECONNREFUSED 127.0.0.1:7497' }),
      { severity: 'bad', words: expect.stringContaining('no connection; connect ECONNREFUSED') },
    ],
    [
      'the pacing is used up',
      broker({
        pacing: pacing({ waiting: 70, longestWaitMs: 1600 }),
      }),
      {
        severity: 'warn',
        cause: 'broker-pacing',
        words: expect.stringContaining('70 messages queued for up to 1.6s; more connections gain nothing'),
      },
    ],
    [
      'all workers are in use',
      broker({}, { holders: [holder(), holder({ leaseId: 2 })], waiting: 3 }),
      {
        severity: 'bad',
        cause: 'pool-too-small',
        words: 'broker: all 2 workers in use; a gateway serves 32 clients; 3 waiting',
      },
    ],
    [
      'its leases are not given back',
      broker({}, { holders: [holder({ leaked: true }), holder({ leaseId: 2 })], waiting: 3 }),
      { severity: 'bad', cause: 'leak-missing-release' },
    ],
  ])('is judged by what it says: %s', (_, one, expected) => {
    expect(wordsOf(one)).toMatchObject(expected);
  });
});
