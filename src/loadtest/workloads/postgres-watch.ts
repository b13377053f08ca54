import { onAbort } from '../../base/abort.js';
import type { Clock } from '../../base/clock.js';
import type { Database, Session } from '../../db/database.js';
import type { PgConnection, Tally } from '../../db/drivers/pg-connection.js';
import type { PostgresAccess } from '../../db/postgres-place.js';
import type { ServerWatch } from '../api.js';
import type { ServerFigures, TransactionFigures } from '../result.js';
import { BackendSamples, countsOf, SampleCourse } from '../server-figures.js';
import { Gaps } from './gaps.js';
import { openPgBouncerWatch } from './pgbouncer-watch.js';
import { countInto, type Observer } from './postgres-observer.js';
import { type Counters, readBackends, readCounters, readLimits, untilGone } from './postgres-statistics.js';
import { type Repeated, repeat } from './repeat.js';

/** Facts that the target gives its watch. */
export interface PostgresWatch extends ServerWatch {
  /** Call it when the pool is closed, or with `atOnce` to end it without a wait. Never rejects. */
  finish(options: { readonly atOnce: boolean }): Promise<void>;
}

/** A look costs the server about as much as one simple query. */
const LOOK_MS = 200;
/** Through a pooler each look takes a connection from the load for that time. */
const POOLED_LOOK_MS = 500;
/** The last figures of the server are no longer awaited. */
const FINISH_MS = 3000;
/** So many of those that have left are remembered, until the server has seen them off too. */
const MOST_LEAVING = 500;

/**
 * Watches the server behind the pool of `database` on the observer's connection, and PgBouncer on its console. Reads
 * the counters before the first connection of the pool is opened.
 */
export async function watchPostgres(
  observer: Observer,
  database: Database,
  access: PostgresAccess,
  { clock, stop }: { readonly clock: Clock; readonly stop: AbortSignal },
): Promise<PostgresWatch> {
  const gaps = new Gaps();
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const stopListening = onAbort(stop, () => void giveUp.abort(stop.reason));
  const backends = new LoadBackends(observer.pooled);
  const tally: Tally = { transactions: 0 };
  countInto(tally, database, {
    connects: !observer.pooled,
    onOpen: (connection) => backends.add(connection),
    onClose: (connection) => backends.remove(connection),
  });
  const ask = <T>(what: string, use: (session: Session) => Promise<T>): Promise<T | null> =>
    observer.database.withSession(use, { signal }).catch((error: unknown) => {
      gaps.failed(what, signal.aborted ? signal.reason : error);
      return null;
    });
  const server = await ask('connections', (session) => readLimits(session, signal));
  const bouncer = observer.pooled ? await openPgBouncerWatch(access, signal, gaps) : null;
  if (server !== null && !server.tracked)
    gaps.add('transactions and backends: the server does not track them');
  // Connections that a pooler keeps tell theirs too late: up to ten seconds after they have fallen idle.
  const isTold = !observer.pooled;
  if (!isTold && bouncer === null) gaps.add('transactions: behind a pooler the server tells them too late');
  const readAll = (session: Session) => readCounters(session, observer.tally, signal);
  const before = isTold ? await ask('transactions', readAll) : null;
  const openedAt = clock.now();
  // From here on an end is orderly: it reports the figures until then.
  stopListening();

  const samples = new BackendSamples();
  const course = new SampleCourse();
  let transactions: TransactionFigures | null = null;
  let looks: Repeated | null = null;

  async function look(atMs: number): Promise<void> {
    // One after the other, or the look at the backends would be seen in PgBouncer's queue.
    const queued = (await bouncer?.look()) ?? null;
    const rows = await ask('backends', (session) => readBackends(session, backends.pids(), signal));
    if (rows !== null) samples.add(rows);
    const counts = rows && countsOf(rows);
    const inTransaction =
      counts && [...counts].reduce((sum, [state, n]) => sum + (/transaction/.test(state) ? n : 0), 0);
    const of = (state: string) => counts && (counts.get(state) ?? 0);
    if (rows === null && queued === null) return;
    course.add({ atMs, active: of('active'), idle: of('idle'), inTransaction, queued });
  }

  /** All that the pool's connections did is counted once they are gone. */
  async function readEnd(): Promise<TransactionFigures | null> {
    if (before === null) return null;
    const after = await ask('transactions', async (session) => {
      await untilGone(session, backends.pids(), signal);
      return readAll(session);
    });
    if (after === null) return null;
    const why = incomparable(before, after);
    if (why !== null) gaps.add(`transactions: ${why}`);
    return why === null ? difference(before, after, tally, clock.now() - openedAt) : null;
  }

  return {
    begin() {
      const beganAt = clock.now();
      bouncer?.begin();
      looks = repeat(() => look(clock.now() - beganAt), observer.pooled ? POOLED_LOOK_MS : LOOK_MS, clock);
    },
    end() {
      looks?.stop();
      bouncer?.end();
    },
    async finish({ atOnce }) {
      looks?.stop();
      if (atOnce) giveUp.abort(new Error('the run was given up'));
      const timer = clock.setTimer(
        () => giveUp.abort(new Error('the server did not answer in time')),
        FINISH_MS,
      );
      await looks?.done;
      await bouncer?.finish();
      transactions = await readEnd();
      timer.cancel();
      await bouncer?.close();
    },
    figures: (): ServerFigures => ({
      version: server?.version ?? null,
      connections: server?.limits ?? null,
      backends: samples.finish(),
      transactions,
      pgbouncer: bouncer?.figures() ?? null,
      course: course.finish(),
      gaps: gaps.list(),
    }),
  };
}

/** The server processes of the load. */
class LoadBackends {
  readonly #open = new Set<number>();
  readonly #leaving = new Set<number>();
  readonly #pooled: boolean;

  /** Through a pooler nobody here knows which they are. */
  constructor(pooled: boolean) {
    this.#pooled = pooled;
  }

  add({ processId }: PgConnection): void {
    if (this.#pooled || processId === null) return;
    this.#leaving.delete(processId);
    this.#open.add(processId);
  }

  remove({ processId }: PgConnection): void {
    if (processId === null || !this.#open.delete(processId)) return;
    this.#leaving.add(processId);
    const [oldest] = this.#leaving;
    if (this.#leaving.size > MOST_LEAVING && oldest !== undefined) this.#leaving.delete(oldest);
  }

  /** null where they are not known. */
  pids(): readonly number[] | null {
    return this.#pooled ? null : [...this.#open, ...this.#leaving];
  }
}

/** Why two readings of counters have no difference that means anything; null if they have. */
function incomparable(before: Counters, after: Counters): string | null {
  if (after.startedAt !== before.startedAt)
    return 'the server was restarted meanwhile, and its counters with it';
  const isReset = after.resetAt !== before.resetAt || after.committed < before.committed;
  return isReset ? "the server's counters were reset meanwhile" : null;
}

function difference(before: Counters, after: Counters, tally: Tally, spanMs: number): TransactionFigures {
  const rolledBack = after.rolledBack - before.rolledBack;
  // Looks do not fail, but for those that are given up; a rollback of the observer's is none of its counted ones.
  const committed = after.committed - before.committed - (after.own - before.own);
  const activeMs =
    before.activeMs === null || after.activeMs === null ? null : after.activeMs - before.activeMs;
  return { spanMs, committed, rolledBack, own: tally.transactions, activeMs };
}
