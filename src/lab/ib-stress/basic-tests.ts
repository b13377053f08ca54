import type { IbLease, IbPool } from '../../ib/pool.js';
import type { Fault } from '../ib-gateway/faults.js';
import type { BasicTest } from './names.js';
import { acquireAll, answered, stock, symbolOf, tally } from './scenarios/scenario.js';
import type { Trial } from './trial.js';

/** How each basic test runs, and its title. */
export const basicTests: Readonly<
  Record<BasicTest, { readonly title: string; run(trial: Trial): Promise<void> }>
> = {
  sequential: { title: 'one call after the other, each with a lease of its own', run: sequential },
  parallel: { title: 'all workers at once, each with its lease until the end', run: parallel },
  stress: { title: 'at least 10 workers, requests of all kinds, and faults in between', run: stress },
};

/** Fewer workers than this rarely contend for the pool. */
const LEAST_STRESS_WORKERS = 10;
/** The faults of the stress test happen within this time. */
const FAULTS_MS = 1500;

/** A call, and the connection that it uses. */
interface Call {
  readonly worker: number;
  readonly connection: object;
  readonly clientId: number;
}

async function sequential(trial: Trial): Promise<void> {
  const pool = poolOf(trial, trial.workers);
  const calls: Call[] = [];
  const outcomes: unknown[] = [];
  for (let call = 0; call < trial.workers * trial.requests; call++) {
    outcomes.push(
      await trial.ask(() =>
        pool.withIb((connection) => {
          calls.push({ worker: 0, connection, clientId: connection.clientId });
          return connection.currentTime();
        }),
      ),
    );
  }
  trial.check('all are answered', answered(outcomes).length === outcomes.length, tally(outcomes));
  checkConnections(trial, calls, 1);
}

async function parallel(trial: Trial): Promise<void> {
  const { workers, requests } = trial;
  const pool = poolOf(trial, workers);
  const leases = await acquireAll(pool, workers);
  const calls: Call[] = [];
  const outcomes = await Promise.all(
    leases.flatMap(({ connection }, worker) =>
      Array.from({ length: requests }, () => {
        calls.push({ worker, connection, clientId: connection.clientId });
        return trial.ask(() => connection.currentTime());
      }),
    ),
  );
  trial.check('all are answered', answered(outcomes).length === outcomes.length, tally(outcomes));
  checkConnections(trial, calls, workers);
  await checkGateway(trial, workers);
  release(leases);
}

async function stress(trial: Trial): Promise<void> {
  const workers = Math.max(LEAST_STRESS_WORKERS, trial.workers);
  const pool = poolOf(trial, workers);
  const leases = await acquireAll(pool, workers);
  const calls: Call[] = [];
  // Drawn before anything runs, so that the same seed asks the same.
  const mixes = leases.map(() => Array.from({ length: trial.requests }, () => requestOf(trial)));
  const schedule = trial.isLive ? [] : scheduleOf(trial);
  const [outcomes] = await Promise.all([
    Promise.all(
      leases.map(async ({ connection }, worker) => {
        const own: unknown[] = [];
        for (const request of mixes[worker] ?? []) {
          calls.push({ worker, connection, clientId: connection.clientId });
          own.push(await trial.ask(() => request(connection)));
        }
        return own;
      }),
    ),
    injectAll(trial, schedule),
  ]);
  const all = outcomes.flat();
  trial.check('all are answered', answered(all).length === all.length, tally(all));
  checkConnections(trial, calls, workers);
  if (!trial.isLive) {
    await trial.heal();
    await trial.until('all connections are ready again', () =>
      leases.every(({ connection }) => connection.state.kind === 'ready'),
    );
  }
  await checkGateway(trial, workers);
  release(leases);
}

function poolOf(trial: Trial, workers: number): IbPool {
  return trial.pool({ topology: trial.topology, workers, reconnectMs: 50 });
}

/** `shared`: all calls use one connection. `worker`: each worker has its own connection and client id. */
function checkConnections(trial: Trial, calls: readonly Call[], workers: number): void {
  const connections = new Set(calls.map(({ connection }) => connection)).size;
  const ids = new Set(calls.map(({ clientId }) => clientId));
  if (trial.topology === 'shared') {
    trial.check(
      'all calls used the same connection',
      connections === 1 && ids.size === 1,
      `${connections} connections for ${calls.length} calls`,
    );
    return;
  }
  const ofWorker = new Map<number, Set<number>>();
  for (const { worker, clientId } of calls) {
    ofWorker.set(worker, (ofWorker.get(worker) ?? new Set()).add(clientId));
  }
  trial.check(
    'every worker had an id of its own, and kept it',
    ids.size === workers && [...ofWorker.values()].every(({ size }) => size === 1),
    `${ids.size} ids for ${workers} workers`,
  );
}

async function checkGateway(trial: Trial, workers: number): Promise<void> {
  const wanted = trial.topology === 'shared' ? 1 : workers;
  if (trial.isLive) return;
  const { ids } = (await trial.counts()).clients;
  trial.check('so the gateway has it', ids.length === wanted, `${ids.length} clients at the gateway`);
}

type Request = (connection: IbLease['connection']) => Promise<unknown>;

/** Only such as read. */
function requestOf({ random, isLive }: Trial): Request {
  const kinds: readonly Request[] = [
    (ib) => ib.currentTime(),
    (ib) => ib.currentTime(),
    (ib) => ib.contractDetails(stock('AAPL')),
    (ib) => ib.contractDetails(stock('MSFT')),
    (ib) => ib.positions(),
    async (ib) => ib.accountValues((await ib.managedAccounts())[0] ?? ''),
  ];
  const symbol = isLive ? 'AAPL' : symbolOf(Math.floor(random() * 200));
  const history: Request = (ib) =>
    ib.historicalData({ contract: stock(symbol), duration: '30 D', barSize: '1 day' });
  const all = [...kinds, history];
  return all[Math.floor(random() * all.length)] ?? history;
}

/** The faults with their times, in milliseconds after the start: the same for the same seed. */
function scheduleOf({ random }: Trial): readonly (readonly [atMs: number, fault: Fault])[] {
  const at = (): number => Math.floor(random() * FAULTS_MS);
  const bytes = 1 + Math.floor(random() * 2000);
  const planned: (readonly [number, Fault])[] = [
    [at(), { kind: 'drop', afterBytes: bytes, pick: 3 }],
    [at(), { kind: 'latency', fromMs: 1, toMs: 30, forMs: 300 }],
    [at(), { kind: 'slice', bytes: 1 + Math.floor(random() * 16), forMs: 300 }],
    [at(), { kind: 'slow-accept', fromMs: 0, toMs: 50, forMs: 500 }],
    [at(), { kind: 'farm', code: 2103 }],
    [at(), { kind: 'farm', code: 2104 }],
    [at(), { kind: 'restart', downMs: 200 }],
  ];
  return planned.sort(([a], [b]) => a - b);
}

async function injectAll(
  trial: Trial,
  schedule: readonly (readonly [atMs: number, fault: Fault])[],
): Promise<void> {
  let now = 0;
  for (const [atMs, fault] of schedule) {
    await trial.sleep(atMs - now);
    now = atMs;
    await trial.inject(fault);
  }
}

function release(leases: readonly IbLease[]): void {
  for (const lease of leases) lease.release();
}
