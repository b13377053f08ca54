import { createDatabase, type Session } from '../../db/database.js';
import { accessOptions, databaseOf, type PostgresAccess, serverUrl } from '../../db/postgres-place.js';
import type { PgBouncerFigures } from '../result.js';
import { GaugeRecorder } from '../server-figures.js';
import type { Gaps } from './gaps.js';

/** Looks at PgBouncer's queue, on its admin console. */
export interface PgBouncerWatch {
  begin(): void;
  end(): void;
  /** How many clients wait at this moment; null if it does not say. */
  look(): Promise<number | null>;
  /** Resolves when the last look is over. */
  finish(): Promise<void>;
  figures(): PgBouncerFigures | null;
  close(): Promise<void>;
}

/** By their names: columns differ from version to version. Figures come as numbers or as text. */
type Row = Readonly<Record<string, unknown>>;

/**
 * Opens the console with the user of the load, who must be in admin_users or stats_users. null with a gap where it is
 * not, or where another kind of pooler is between.
 */
export async function openPgBouncerWatch(
  access: PostgresAccess,
  signal: AbortSignal,
  gaps: Gaps,
): Promise<PgBouncerWatch | null> {
  const database = createDatabase(serverUrl(access.url, 'pgbouncer'), {
    ...accessOptions({ ...access, pgbouncer: true, prepareThreshold: 0 }),
    ...{ name: "PgBouncer's admin console", size: 1, maxOverflow: 0 },
  });
  const ask = <T>(use: (session: Session) => Promise<T>): Promise<T | null> =>
    database.withSession(use, { signal }).catch((error: unknown) => {
      gaps.failed("PgBouncer's queue", signal.aborted ? signal.reason : error);
      return null;
    });
  const name = databaseOf(access.url);
  const settings = await ask((session) => readSettings(session, name, signal));
  if (settings === null) {
    await database.close({ graceMs: 0 });
    return null;
  }

  const waiting = new GaugeRecorder();
  const serverActive = new GaugeRecorder();
  const serverIdle = new GaugeRecorder();
  let longestWaitMs = 0;
  let samples = 0;
  let before: Promise<Totals | null> | null = null;
  let after: Promise<Totals | null> | null = null;
  let passed: Totals | null = null;
  const totals = () => ask((session) => readTotals(session, name, signal));

  return {
    begin() {
      before = totals();
    },
    end() {
      after = totals();
    },
    async look() {
      const pools = await ask((session) => show(session, 'pools', signal));
      if (pools === null) return null;
      const own = pools.filter((row) => row.database === name);
      const sum = (...columns: string[]) =>
        own.reduce((all, row) => all + columns.reduce((n, column) => n + numberOf(row, column), 0), 0);
      samples++;
      waiting.add(sum('cl_waiting'));
      serverActive.add(sum('sv_active'));
      serverIdle.add(sum('sv_idle', 'sv_used'));
      // The whole seconds alone would hide every wait that is shorter.
      const waits = own.map((row) => numberOf(row, 'maxwait') * 1000 + numberOf(row, 'maxwait_us') / 1000);
      longestWaitMs = Math.max(longestWaitMs, ...waits);
      return sum('cl_waiting');
    },
    async finish() {
      passed = differenceOf(await before, await after);
    },
    figures: (): PgBouncerFigures => ({
      ...settings,
      samples,
      waiting: waiting.over(),
      longestWaitMs,
      serverActive: serverActive.over(),
      serverIdle: serverIdle.over(),
      transactions: passed?.transactions ?? null,
      waitMeanMs: passed === null || passed.transactions === 0 ? null : passed.waitMs / passed.transactions,
    }),
    close: () => database.close({ graceMs: 0 }),
  };
}

type Settings = Pick<PgBouncerFigures, 'version' | 'poolMode' | 'poolSize' | 'clients'>;

async function readSettings(session: Session, name: string, signal: AbortSignal): Promise<Settings> {
  const config = new Map((await show(session, 'config', signal)).map((row) => [row.key, row.value]));
  const lists = new Map((await show(session, 'lists', signal)).map((row) => [row.list, row.items]));
  const [version] = (await show(session, 'version', signal)).flatMap((row) => Object.values(row));
  const database = (await show(session, 'databases', signal)).find((row) => row.name === name);
  const most = Number(config.get('max_client_conn'));
  const used = Number(lists.get('used_clients'));
  return {
    version: typeof version === 'string' ? version : null,
    poolMode: String(database?.pool_mode ?? config.get('pool_mode') ?? '') || null,
    poolSize: database === undefined ? null : numberOf(database, 'pool_size'),
    clients: Number.isFinite(most) && Number.isFinite(used) ? { most, used } : null,
  };
}

/** Counters of the database since PgBouncer was started. */
interface Totals {
  readonly transactions: number;
  readonly waitMs: number;
}

async function readTotals(session: Session, name: string, signal: AbortSignal): Promise<Totals | null> {
  const row = (await show(session, 'stats', signal)).find(({ database }) => database === name);
  if (row === undefined) return null;
  return { transactions: numberOf(row, 'total_xact_count'), waitMs: numberOf(row, 'total_wait_time') / 1000 };
}

function differenceOf(before: Totals | null, after: Totals | null): Totals | null {
  if (before === null || after === null) return null;
  const transactions = after.transactions - before.transactions;
  // Less than before: it was started anew.
  return transactions < 0 ? null : { transactions, waitMs: after.waitMs - before.waitMs };
}

async function show(session: Session, what: string, signal: AbortSignal): Promise<readonly Row[]> {
  return (await session.query(`SHOW ${what.toUpperCase()}`, [], { signal })).rows;
}

function numberOf(row: Row, column: string): number {
  const value = Number(row[column] ?? 0);
  return Number.isFinite(value) ? value : 0;
}
