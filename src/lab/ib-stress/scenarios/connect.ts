import { ignore } from '../../../base/promises.js';
import { ClientIds } from '../../../ib/client-ids.js';
import { IbError } from '../../../ib/errors.js';
import type { Trial } from '../trial.js';
import { acquireAll, type Scenario, tally } from './scenario.js';

const ALL_READY_MS = 2000;
const AT_ONCE_MS = 1000;
/** The limit of TWS, on which one more is not even dialled. */
const MOST_CLIENTS = 32;
/** Longer than it takes to notice the loss, also where the machine stands still for some seconds. */
const HOLDER_MS = 45_000;
const EARLY_MS = 20;

export const connectStorm: Scenario = {
  name: 'connect-storm',
  title: '10, 16 and 32 connections at once, to a gateway that accepts slowly',
  speed: 1,
  lastsMs: 3000,
  live: true,
  async run(trial) {
    if (!trial.isLive) await trial.inject({ kind: 'slow-accept', fromMs: 0, toMs: 200 });
    for (const size of trial.isLive ? [trial.workers] : [10, 16, MOST_CLIENTS]) await storm(trial, size);
  },
};

export const clientCap: Scenario = {
  name: 'client-cap',
  title: 'one client more than a gateway serves: refused before anything is dialled',
  speed: 1,
  lastsMs: 2000,
  async run(trial) {
    const pool = trial.pool({ topology: 'worker', workers: MOST_CLIENTS + 8 });
    const leases = await acquireAll(pool, MOST_CLIENTS);
    await trial.fails(`client ${MOST_CLIENTS + 1} is refused`, 'ERR_IB_POOL_EXHAUSTED', () => pool.acquire());
    const { connections } = await trial.counts();
    trial.check(
      'the gateway saw no more than it serves',
      connections.mostOpen === MOST_CLIENTS && connections.accepted === MOST_CLIENTS,
      `${connections.accepted} connections, ${connections.overCap} over its cap`,
    );
    leases.pop()?.release();
    const again = await trial.ask(() => pool.withIb((ib) => ib.currentTime()));
    trial.check('one that is returned can be had', !(again instanceof IbError), tally([again]));
    for (const lease of leases) lease.release();
  },
};

export const idCollision: Scenario = {
  name: 'id-collision',
  title: 'a client id that is in use, at the first connect: told at once, and not tried again',
  speed: 1,
  lastsMs: 2000,
  live: true,
  async run(trial) {
    const clientId = trial.clientIdBase;
    const holder = trial.pool({ clientId });
    using lease = await holder.acquire();
    const rival = trial.pool({ clientId });
    await trial.fails('it fails as such', 'ERR_IB_CLIENT_ID_IN_USE', () => rival.acquire());
    // Starting a thread is no part of it.
    const tookMs = trial.clock.now() - (trial.meter.dials.at(-1) ?? 0);
    const limitMs = trial.real(AT_ONCE_MS) + (await trial.stalledMs());
    trial.check('within 1 s', tookMs <= limitMs, `after ${Math.round(tookMs)} ms`);
    await trial.sleep(AT_ONCE_MS / 2);
    const { length } = trial.meter.dials;
    trial.check('it is not tried again', length === 2, `${length - 1} attempts`);
    const answer = await trial.ask(() => lease.connection.currentTime());
    trial.check('the holder keeps its connection', !(answer instanceof IbError), tally([answer]));
    const clientIds = new ClientIds({ base: clientId + 1 });
    const pools = [trial.pool({ clientIds }), trial.pool({ clientIds })];
    const both = await Promise.all(pools.map((pool) => trial.ask(() => pool.withIb((ib) => ib.clientId))));
    trial.check(
      'two pools that share their ids have different ones',
      new Set(both).size === 2 && both.every((id) => typeof id === 'number'),
      both.map((id) => (id instanceof IbError ? id.message : `id ${id}`)).join(', '),
    );
  },
};

export const idReconnect: Scenario = {
  name: 'id-reconnect',
  title: 'the id held by a dead connection of its own: tried again with backoff, under the same id',
  speed: 10,
  lastsMs: 60_000,
  async run(trial) {
    const clientId = trial.clientIdBase;
    const pool = trial.pool({ heartbeatMs: 5000, heartbeatTimeoutMs: 5000, reconnectMs: 100 });
    using lease = await pool.acquire();
    const { connection } = lease;
    await trial.inject({ kind: 'half-open', clientIds: [clientId], forMs: HOLDER_MS });
    await trial.until('the loss is noticed', () => connection.figures().supervisor.lost > 0, HOLDER_MS);
    await trial.until(
      'it is ready again when the holder has gone',
      () => connection.state.kind === 'ready',
      HOLDER_MS + 10_000 + trial.real(500),
    );
    const { idCollisions } = connection.figures().supervisor;
    trial.check('the id was in use meanwhile', idCollisions > 0, `${idCollisions} errors 326`);
    const ids = Object.keys((await trial.counts()).clients.readyById);
    trial.check('it kept its id', ids.join() === String(clientId), `id ${ids.join(', ')}`);
    const waits = trial.log.filter(({ entry }) => entry.kind === 'lost').length;
    const attempts = trial.meter.dials.length - 1;
    trial.check(
      'one attempt for each step of the backoff',
      attempts === waits && hasWaited(trial),
      `${attempts} attempts, ${waits} waits`,
    );
  },
};

export const silentHandshake: Scenario = {
  name: 'silent-handshake',
  title: 'a gateway that accepts and says nothing: given up at the deadline, its socket closed',
  speed: 10,
  lastsMs: 12_000,
  async run(trial) {
    const deadlineMs = 10_000;
    await trial.inject({ kind: 'silent-handshake', times: 1 });
    const pool = trial.pool({ handshakeTimeoutMs: deadlineMs });
    const outcome = trial.fails('the attempt fails as such', 'ERR_IB_HANDSHAKE', () => pool.acquire());
    let tookMs: number | null = null;
    void outcome
      .then((ms) => {
        tookMs = ms;
      })
      .catch(ignore);
    // Starting a thread is no part of the handshake.
    await trial.becomes(() => trial.meter.dials.length > 0);
    const limitMs = deadlineMs + trial.real(500);
    if (!(await trial.until('at the deadline', () => tookMs !== null, limitMs))) return;
    const early = (tookMs ?? 0) < deadlineMs - EARLY_MS;
    trial.check('not before', !early, `after ${Math.round(tookMs ?? 0)} ms of ${deadlineMs}`);
    await trial.until('its socket is closed', async () => (await trial.counts()).connections.open === 0);
    const again = await trial.ask(() => pool.withIb((ib) => ib.currentTime()));
    trial.check('the next attempt is served', !(again instanceof IbError), tally([again]));
  },
};

async function storm(trial: Trial, size: number): Promise<void> {
  const before = trial.meter.readyMs.length;
  const dialled = trial.meter.dials.length;
  const pool = trial.pool({ topology: 'worker', workers: size });
  const outcome = await trial.ask(() => pool.warm());
  const ready = trial.meter.readyMs.slice(before).sort((a, b) => a - b);
  trial.check(
    `${size}: all are ready`,
    !(outcome instanceof IbError) && ready.length === size,
    outcome instanceof IbError ? outcome.message : `${ready.length} of ${size}`,
  );
  const slowest = ready[Math.ceil(ready.length * 0.99) - 1] ?? null;
  // While the machine stood still, nothing could become ready.
  const limitMs = trial.real(ALL_READY_MS) + (await trial.stalledMs());
  trial.check(
    `${size}: 99 % within 2 s`,
    slowest !== null && slowest <= limitMs,
    slowest === null ? 'none was ready' : `after ${Math.round(slowest)} ms`,
  );
  const attempts = trial.meter.dials.length - dialled;
  trial.check(`${size}: no more sockets than that`, attempts === size, `${attempts} dialled`);
  if (!trial.isLive) {
    const { clients } = await trial.counts();
    const ids = new Set(clients.ids);
    trial.check(`${size}: each has an id of its own`, ids.size === size, `${ids.size} ids at the gateway`);
  }
  await trial.close(pool);
  if (trial.isLive) return;
  await trial.until(`${size}: all hang up`, async () => (await trial.counts()).connections.open === 0);
}

/** Whether each attempt came when its wait was over, and not before. A timer may fire a millisecond early. */
function hasWaited({ log, meter }: Trial): boolean {
  const dials = meter.dials.slice(1);
  const due = log.flatMap(({ at, entry }) => (entry.kind === 'lost' ? [at + entry.retryInMs] : []));
  return dials.every((dial, index) => dial >= (due[index] ?? Number.POSITIVE_INFINITY) - EARLY_MS);
}
