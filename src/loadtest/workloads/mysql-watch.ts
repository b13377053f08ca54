import { onAbort } from '../../base/abort.js';
import type { Clock } from '../../base/clock.js';
import type { Database, Session } from '../../db/database.js';
import type { QuestionTally } from '../../db/drivers/mysql-connection.js';
import type { ServerWatch } from '../api.js';
import type { ServerFigures, StatementFigures } from '../result.js';
import { BackendSamples, countsOf, SampleCourse } from '../server-figures.js';
import { Gaps } from './gaps.js';
import { countStatements, type MysqlObserver } from './mysql-observer.js';
import { type Counters, readCounters, readLimits, readThreads, untilGone } from './mysql-statistics.js';
import { type Repeated, repeat } from './repeat.js';

/** Facts that the target gives its watch. */
export interface MysqlWatch extends ServerWatch {
  /** Call it when the pool is closed, or with `atOnce` to end it without a wait. Never rejects. */
  finish(options: { readonly atOnce: boolean }): Promise<void>;
}

/** A look costs the server about as much as one simple query. */
const LOOK_MS = 200;
/** The last figures of the server are no longer awaited. */
const FINISH_MS = 3000;
/** So many of those that have left are waited for. */
const MOST_LEAVING = 500;
/** Its clock counts whole seconds, and is read a moment before ours. */
const CLOCKS_S = 2;

/** Watches the server behind the pool of `database` on the observer's connection. */
export async function watchMysql(
  observer: MysqlObserver,
  database: Database,
  { clock, stop }: { readonly clock: Clock; readonly stop: AbortSignal },
): Promise<MysqlWatch> {
  const gaps = new Gaps();
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const stopListening = onAbort(stop, () => void giveUp.abort(stop.reason));
  const ids = new Set<number>();
  const leaving = new Set<number>();
  const tally: QuestionTally = { questions: 0 };
  countStatements(tally, database, {
    onOpen: ({ threadId }) => void ids.add(threadId),
    onClose({ threadId }) {
      if (ids.delete(threadId) && leaving.size < MOST_LEAVING) leaving.add(threadId);
    },
  });
  const ask = <T>(what: string, use: (session: Session) => Promise<T>): Promise<T | null> =>
    observer.database.withSession(use, { signal }).catch((error: unknown) => {
      gaps.failed(what, signal.aborted ? signal.reason : error);
      return null;
    });
  const readAll = (session: Session) => readCounters(session, observer.tally, signal);
  const readEnd = async (session: Session) => {
    // A goodbye counts when the server has read it.
    await untilGone(session, [...ids, ...leaving], signal);
    return readAll(session);
  };
  const limits = await ask('connections', (session) => readLimits(session, signal));
  if (observer.proxied) gaps.add('statements: a proxy is between, whose connections others use too');
  const before = observer.proxied ? null : await ask('statements', readAll);
  const openedAt = clock.now();
  // From here on an end is orderly: it reports the figures until then.
  stopListening();

  const samples = new BackendSamples();
  const course = new SampleCourse();
  let statements: StatementFigures | null = null;
  let looks: Repeated | null = null;

  async function look(atMs: number): Promise<void> {
    const which = observer.proxied ? null : [...ids];
    const rows = await ask('backends', (session) => readThreads(session, which, signal));
    if (rows === null) return;
    samples.add(rows);
    const counts = countsOf(rows);
    const of = (state: string) => counts.get(state) ?? 0;
    course.add({
      ...{ atMs, active: of('active'), idle: of('idle') },
      ...{ inTransaction: of('idle in transaction'), queued: null },
    });
  }

  return {
    begin() {
      const beganAt = clock.now();
      looks = repeat(() => look(clock.now() - beganAt), LOOK_MS, clock);
    },
    end() {
      looks?.stop();
    },
    async finish({ atOnce }) {
      looks?.stop();
      if (atOnce) giveUp.abort(new Error('the run was given up'));
      const late = () => giveUp.abort(new Error('the server did not answer in time'));
      const timer = clock.setTimer(late, FINISH_MS);
      await looks?.done;
      const after = before === null ? null : await ask('statements', readEnd);
      if (before !== null && after !== null) {
        const spanMs = clock.now() - openedAt;
        const why = incomparable(before, after, spanMs);
        if (why === null) statements = difference(before, after, tally, spanMs);
        else gaps.add(`statements: ${why}`);
      }
      timer.cancel();
    },
    figures: (): ServerFigures => ({
      product: observer.isMariaDb ? 'MariaDB' : 'MySQL',
      version: observer.version,
      connections: limits,
      backends: samples.finish(),
      transactions: null,
      statements,
      pgbouncer: null,
      course: course.finish(),
      gaps: gaps.list(),
    }),
  };
}

/** Why two readings of counters have no difference that means anything; null if they have. */
function incomparable(before: Counters, after: Counters, spanMs: number): string | null {
  // A server that has come back counts from 0, and soon may be older than the one before was.
  const missingS = before.uptimeS + spanMs / 1000 - after.uptimeS;
  if (missingS > CLOCKS_S) return 'the server was restarted meanwhile, and its counters with it';
  const questions = (counters: Counters) => counters.values.get('questions') ?? 0;
  const flushed = (counters: Counters) => counters.values.get('uptime_since_flush_status') ?? 0;
  const isReset = questions(after) < questions(before) || flushed(after) < flushed(before);
  return isReset ? "the server's counters were reset meanwhile" : null;
}

function difference(
  before: Counters,
  after: Counters,
  tally: QuestionTally,
  spanMs: number,
): StatementFigures {
  const of = (name: string) => (after.values.get(name) ?? 0) - (before.values.get(name) ?? 0);
  return {
    spanMs,
    counted: of('questions') - (after.own - before.own),
    own: tally.questions,
    // Statements of the observer are few, and are included.
    selects: of('com_select'),
    connections: of('connections'),
    abortedClients: of('aborted_clients'),
    rowLockWaits: of('innodb_row_lock_waits'),
    rowLockMs: of('innodb_row_lock_time'),
    temporaryDiskTables: of('created_tmp_disk_tables'),
  };
}
