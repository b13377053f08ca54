import { beforeAll, describe, expect, it } from 'vitest';
import { SCENARIO_NAMES, type ScenarioName } from '../../../src/lab/ib-stress/names.js';
import type { IbRun } from '../../../src/lab/ib-stress/types.js';
import { runsOf } from './runs.js';

/** It blocks this process's loop, which is none of the others' business. */
const ALONE = 'big-history';
/** The pool forgives what its own loop was late by, and fast clocks make that a lot. */
const UNHURRIED: readonly ScenarioName[] = ['slow-gateway', 'history-pacing'];

describe('a pool that is broken on purpose', () => {
  let runs: ReadonlyMap<string, IbRun>;
  beforeAll(async () => {
    const together = SCENARIO_NAMES.filter((name) => name !== ALONE && !UNHURRIED.includes(name));
    const broken = { negativeControls: true } as const;
    const some = await Promise.all([
      runsOf({ ...broken, scenarios: together, jobs: together.length }),
      runsOf({ ...broken, scenarios: UNHURRIED, jobs: UNHURRIED.length, patience: 3 }),
    ]);
    const last = await runsOf({ ...broken, scenarios: [ALONE], patience: 3 });
    runs = new Map([...some, last].flatMap((each) => [...each]));
  }, 180_000);

  it.each([
    ['connect-storm', 'gives every connection the same client id', '10: each has an id of its own'],
    ['client-cap', 'believes that a gateway serves 64 clients', 'client 33 is refused'],
    [
      'id-collision',
      'gives every connection the same client id',
      'two pools that share their ids have different ones',
    ],
    ['id-reconnect', 'takes the next client id at each reconnect', 'it kept its id'],
    ['drop-mid-request', 'sends an order again that had no answer', 'no order came twice'],
    [
      'half-open',
      'never asks whether the gateway is still there',
      'it is noticed within the deadline of the heartbeat and one interval',
    ],
    ['silent-handshake', 'waits for ever for the handshake', 'at the deadline'],
    [
      'slow-gateway',
      'takes a gateway for dead that does not answer within 20 ms',
      'it is not taken for dead',
    ],
    ['nightly-reset', 'hangs up at a 1100', 'no socket was closed'],
    ['auto-restart', 'reconnects at once, all connections together', 'the first attempts are spread'],
    ['farm-flap', 'hangs up at a 2103', 'no reconnect'],
    ['message-pacing', 'has its limiter off', 'no error 100'],
    ['history-pacing', 'knows no limits for history', 'none is refused'],
    ['request-timeout', 'does not cancel what it gave up', 'requests for history are cancelled'],
    ['subscription-leak', 'forgets each 100th cancel', 'none is open, here or there'],
    ['big-history', 'blames the gateway for its own blocked loop', 'the gateway is not blamed for it'],
    ['bad-input', 'does not hear that the port has moved', 'it follows to the new port'],
    ['shutdown', 'leaves its connections open when it is closed', 'no socket is left'],
    ['order-life', 'never sends a cancel', 'an order that is canceled is canceled there too'],
    [
      'order-restart',
      'takes a list of orders for empty, and asks nothing',
      'the new process knows both orders',
    ],
    ['urgent-first', 'sends orders in their turn', 'placeOrder goes first'],
    [
      'fresh-history',
      'keeps the first answer to a request for history for ever',
      'a later one is a request of its own',
    ],
    ['waiters-at-close', 'forgets those who wait when it is closed', 'all hear that the pool is closed'],
    ['listeners', 'lets one listener that throws stop the others', 'the others receive ticks'],
    ['shared-budget', 'paces each process by itself', 'never above the limit together'],
    ['advisories', 'takes an advisory for a refusal', 'ticks follow an advisory'],
    ['replay-requests', 'loses every tenth message', 'every kind of read has its answer'],
    ['replay-pacing', 'allows one message more', 'requests wait for the window, in their order'],
    [
      'replay-connections',
      'waits a millisecond longer for a handshake',
      'the first connect: what each way to fail is told as',
    ],
    [
      'replay-pool',
      'lets its callers wait a millisecond longer',
      'a connection for each worker: those beyond wait, in their order',
    ],
    [
      'replay-orders',
      'sends an order again that had no answer',
      'ids and references: each once, known ones are not sent again',
    ],
  ] as const)('fails %s where it %s', (name, broken, check) => {
    const run = runs.get(name);
    expect(run).toMatchObject({ outcome: 'failed', broken });
    expect(run?.checks.filter(({ ok }) => !ok).map((one) => one.name)).toContain(check);
  });

  it('differs from the gateway in what it says it sent', () => {
    const differences = (name: string) => runs.get(name)?.comparisons?.filter(({ ok }) => !ok);
    expect(differences('request-timeout')).toEqual([
      { what: 'cancelHistory sent', gateway: 0, clientLeast: 3, clientMost: 3, ok: false },
    ]);
    expect(differences('subscription-leak')).toContainEqual(
      expect.objectContaining({ what: 'streams open', clientLeast: 0, clientMost: 0 }),
    );
    expect(differences('id-reconnect')?.map(({ what }) => what)).toContain('sessions of id 2');
  });
});
