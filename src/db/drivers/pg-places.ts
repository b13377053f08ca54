import { randomInt } from 'node:crypto';
import { asError } from '../../base/promises.js';
import { DatabaseError } from '../errors.js';

/** One of the places where the server may be. */
export interface PgPlace {
  /** A name, an address, or the folder of a Unix socket. What is null comes from the environment. */
  readonly host: string | null;
  readonly port: number | null;
  /** The address to connect to, if not the one that `host` resolves to. */
  readonly address: string | null;
}

export type TargetSession = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby';

export interface PlaceRules {
  readonly places: readonly PgPlace[];
  readonly target: TargetSession;
  readonly isShuffled: boolean;
  /** Each attempt may take so long; null: as long as the caller waits. */
  readonly attemptMs: number | null;
}

interface Open {
  /** Asks the server one question. */
  query(
    sql: string,
    params: readonly unknown[],
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  close(): Promise<void> | void;
}

/**
 * Connects to the first place that answers and fits, as libpq does: a server that refuses the user ends the search, one
 * that is down or of the wrong kind does not. Rejects with what the last one failed with, naming all.
 */
export async function connectFirst<T extends Open>(
  rules: PlaceRules,
  signal: AbortSignal,
  connect: (place: PgPlace, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { places, target } = rules;
  if (places.length === 1 && places[0] !== undefined && target === 'any') return connect(places[0], signal);
  const order = rules.isShuffled ? shuffled(places) : places;
  const rounds: TargetSession[] = target === 'prefer-standby' ? ['standby', 'any'] : [target];
  const failures: Error[] = [];
  for (const wanted of rounds) {
    failures.length = 0;
    for (const place of order) {
      signal.throwIfAborted();
      try {
        const inTime =
          rules.attemptMs === null ? signal : AbortSignal.any([signal, AbortSignal.timeout(rules.attemptMs)]);
        const connection = await connect(place, inTime);
        let misfit: string | null = 'was not asked';
        try {
          misfit = await misfitOf(connection, wanted, inTime);
          if (misfit === null) return connection;
        } finally {
          if (misfit !== null) await connection.close();
        }
        failures.push(new DatabaseError('ERR_DB_TARGET', `${nameOf(place)} ${misfit}`));
      } catch (cause) {
        const error = asError(cause);
        if (signal.aborted || endsSearch(error)) throw error;
        failures.push(error.name === 'TimeoutError' ? late(place, rules.attemptMs, error) : error);
      }
    }
  }
  throw noneOf(rules, failures);
}

/** The server is starting or stopping, or has no place left. */
const STARTING = ['57P03', 'ER_CON_COUNT_ERROR', 'ER_SERVER_SHUTDOWN'];

function endsSearch(error: Error): boolean {
  if (!(error instanceof DatabaseError)) return error.name !== 'TimeoutError';
  return (
    error.code === 'ERR_DB_AUTH' ||
    error.code === 'ERR_DB_PASSWORD' ||
    (error.name !== 'DatabaseError' && !STARTING.includes(error.code))
  );
}

/** Why a server is not what is wanted; null if it is. */
async function misfitOf(
  connection: Open,
  wanted: TargetSession,
  signal: AbortSignal,
): Promise<string | null> {
  if (wanted === 'any') return null;
  const { rows } = await connection.query(
    "select pg_catalog.pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as read_only",
    [],
    { signal },
  );
  const { standby, read_only: readOnly } = rows[0] ?? {};
  switch (wanted) {
    case 'read-write':
      return readOnly === true ? 'is read-only' : null;
    case 'read-only':
      return readOnly === true ? null : 'is not read-only';
    case 'primary':
      return standby === true ? 'is a standby' : null;
    case 'standby':
    case 'prefer-standby':
      return standby === true ? null : 'is not a standby';
  }
}

function noneOf({ places, target }: PlaceRules, failures: readonly Error[]): Error {
  const [first] = failures;
  if (failures.length === 1 && first !== undefined && places.length === 1) return first;
  const what = target === 'any' ? 'no host accepts a connection' : `no host is ${target}`;
  const hints = failures.flatMap((one) =>
    one instanceof DatabaseError && one.hint !== null ? [one.hint] : [],
  );
  return new DatabaseError(
    failures.every((one) => 'code' in one && one.code === 'ERR_DB_TARGET')
      ? 'ERR_DB_TARGET'
      : 'ERR_CONNECTION_LOST',
    `${what}: ${failures.map(({ message }) => message).join('; ')}`,
    { cause: failures.at(-1), hint: hints[0] ?? 'check the hosts, and target_session_attrs in the URL' },
  );
}

function late(place: PgPlace, ms: number | null, cause: Error): Error {
  return new DatabaseError('ETIMEDOUT', `${nameOf(place)} did not answer within ${(ms ?? 0) / 1000} s`, {
    cause,
  });
}

function nameOf({ host, port }: PgPlace): string {
  return `${host ?? 'the default host'}${port === null ? '' : `:${port}`}`;
}

function shuffled<T>(all: readonly T[]): T[] {
  const rest = [...all];
  return all.map(() => rest.splice(randomInt(rest.length), 1)[0] as T);
}
