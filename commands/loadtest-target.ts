import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileFault } from '../src/base/file-fault.js';
import { asError } from '../src/base/promises.js';
import { registerSecret } from '../src/base/secrets.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import type { Database } from '../src/db/database.js';
import { locateMysql } from '../src/db/mysql-place.js';
import {
  hostsOf,
  ignoredRemark,
  isLoopback,
  locatePostgres,
  saysPgbouncer,
} from '../src/db/postgres-place.js';
import type { Workload } from '../src/loadtest/api.js';
import type { LoadTestOptions } from '../src/loadtest/load-test.js';
import type { LoadResult } from '../src/loadtest/result.js';
import {
  MYSQL_CANDLES,
  makeMysqlCandles,
  removeMysqlCandles,
} from '../src/loadtest/workloads/mysql-candles.js';
import { openMysqlObserver } from '../src/loadtest/workloads/mysql-observer.js';
import {
  CANDLE_TABLE,
  type CandleOptions,
  makeCandleTable,
  removeCandleTable,
} from '../src/loadtest/workloads/postgres-candles.js';
import { openObserver } from '../src/loadtest/workloads/postgres-observer.js';
import type { DatabaseTarget, ReachableTarget, Target } from '../src/loadtest/workloads/registry.js';
import type { PoolSize } from '../src/loadtest/workloads/sqlite.js';
import type { LoadContext, Options } from './loadtest-options.js';
import { isHttpProfile, PROFILES, type Profile } from './loadtest-profiles.js';

/** The target, with facts that only a look at it shows. */
export interface Subject {
  readonly target: ReachableTarget;
  readonly profile: Profile;
  readonly pool: PoolSize;
  /** Tells the user something, once however many runs there are. */
  readonly remark: (text: string) => void;
}

/** The work that is repeated on pools, and how they are made. */
export interface LoadSubject {
  readonly pool: PoolSize;
  /** The repeated work, on a pool of that size, or without one. It calls `opened` for each pool. */
  workload(pool: PoolSize, unpooled: boolean, opened: (pool: object) => void): Workload;
  /** Runs it. Default runLoadTest. */
  readonly run?: (options: LoadTestOptions) => Promise<LoadResult>;
}

/** To remove what was made may take so long; and so long once everything was to be given up. */
const TIDY_MS = 20_000;
const LAST_MOMENT_MS = 2000;

/** The profile, as far as it is known before anything is connected. */
export function profileOf(options: Partial<Options>, target: Target | null): Profile {
  if (options.profile && !isHttpProfile(options.profile)) return options.profile;
  if (target?.kind === 'mysql') return 'direct';
  if (target?.kind !== 'postgres') return 'sqlite';
  return (options.pgbouncer ?? saysPgbouncer(target.url)) ? 'pgbouncer' : 'direct';
}

/** Gets the target ready, and tidies up behind whatever is done with it. */
export async function withSubject<T>(
  context: LoadContext,
  target: DatabaseTarget,
  use: (subject: Subject) => Promise<T>,
): Promise<T> {
  const { options, io } = context;
  if (target.kind === 'postgres') return withPostgres(context, target.url, use);
  if (target.kind === 'mysql') return withMysql(context, target.url, use);
  if (target.kind === 'temporary' && io.env.DATABASE_URL) {
    context.warn('DATABASE_URL is not used unasked: this tests a temporary SQLite file');
  }
  const profile = profileOf(options, target);
  return use({ target, profile, pool: poolOf(context, profile), remark: onceEach(context.warn) });
}

async function withPostgres<T>(
  context: LoadContext,
  url: string,
  use: (subject: Subject) => Promise<T>,
): Promise<T> {
  const { options, io } = context;
  const place = await withPassword(context, (env) => locatePostgres(url, env));
  if (!options.allowRemote) for (const host of hostsOf(place.url)) await refuseRemote(host);
  const remark = ignoredRemark([url]);
  if (remark !== null) context.warn(remark);
  const said = options.pgbouncer ?? saysPgbouncer(url);
  const { prepareThreshold, connectTimeout: connectTimeoutMs } = options;
  const access = { ...place, pgbouncer: said ?? false, prepareThreshold, connectTimeoutMs };
  const observer = await openObserver(access, io.interrupts.stop);
  try {
    const pgbouncer = said ?? observer.pooled;
    // A pooler that was found, rather than named, has its profile too; what the user says of the profile stands.
    const profile = profileOf({ ...options, pgbouncer }, { kind: 'postgres', url });
    const target: ReachableTarget = { kind: 'postgres', access: { ...access, pgbouncer }, observer };
    const subject = { target, profile, pool: poolOf(context, profile), remark: onceEach(context.warn) };
    return await withCandles(context, observer.database, POSTGRES_CANDLES, () => use(subject));
  } finally {
    await observer.close();
  }
}

async function withMysql<T>(
  context: LoadContext,
  url: string,
  use: (subject: Subject) => Promise<T>,
): Promise<T> {
  const { options, io } = context;
  const location = await withPassword(context, (env) => locateMysql(url, env));
  if (!options.allowRemote) for (const host of location.hosts) await refuseRemote(host);
  const remark = ignoredRemark([url]);
  if (remark !== null) context.warn(remark);
  if (options.init && location.database === null) {
    throw new UsageError(['--init makes a table: name a database in the URL']);
  }
  const { prepareThreshold, connectTimeout: connectTimeoutMs } = options;
  const access = { ...location, prepareThreshold, connectTimeoutMs };
  const observer = await openMysqlObserver(access, io.interrupts.stop);
  try {
    const profile = profileOf(options, { kind: 'mysql', url });
    const target: ReachableTarget = { kind: 'mysql', access, observer };
    const subject = { target, profile, pool: poolOf(context, profile), remark: onceEach(context.warn) };
    return await withCandles(context, observer.database, MYSQL_TABLE, () => use(subject));
  } finally {
    await observer.close();
  }
}

/** How the table of `--init` is made and removed. */
interface CandleMaker {
  readonly table: string;
  make(database: Database, options: CandleOptions): Promise<boolean>;
  remove(database: Database, signal: AbortSignal): Promise<void>;
}

const POSTGRES_CANDLES: CandleMaker = {
  table: CANDLE_TABLE,
  make: makeCandleTable,
  remove: removeCandleTable,
};
const MYSQL_TABLE: CandleMaker = {
  table: MYSQL_CANDLES,
  make: makeMysqlCandles,
  remove: removeMysqlCandles,
};

/** Runs with the table of `--init`, and without it once that is over, whatever came of it. */
async function withCandles<T>(
  { options, io, ...context }: LoadContext,
  database: Database,
  { table, make, remove }: CandleMaker,
  run: () => Promise<T>,
): Promise<T> {
  try {
    if (options.init) await make(database, { seed: options.seed, signal: io.interrupts.stop });
    return await run();
  } finally {
    if (options.cleanup) {
      const signal = AbortSignal.timeout(io.interrupts.abort.aborted ? LAST_MOMENT_MS : TIDY_MS);
      await remove(database, signal).catch((error: unknown) => {
        const why = signal.aborted ? 'the server did not answer in time' : asError(error).message;
        context.warn(`${table} could not be removed: ${why}`);
      });
    }
  }
}

/** The pool's options; those that nobody gave are the profile's. */
function poolOf({ options, origins }: LoadContext, profile: Profile): PoolSize {
  const preset = PROFILES[profile];
  const of = <Key extends keyof typeof preset & keyof Options>(key: Key): Options[Key] =>
    origins[key].kind === 'preset' ? (preset[key] as Options[Key]) : options[key];
  return {
    size: of('poolSize'),
    maxOverflow: of('maxOverflow'),
    timeoutMs: of('poolTimeout'),
    recycleMs: of('poolRecycle'),
    prePing: of('prePing'),
  };
}

/** The settings of the URL and the environment, with the password of --password-stdin. */
async function withPassword<T extends { readonly password: string | null }>(
  { options, io }: LoadContext,
  locate: (env: Readonly<Record<string, string | undefined>>) => T,
): Promise<T> {
  const place = locate(io.env);
  if (!options.passwordStdin) return place;
  const [password = ''] = (await io.readStdin()).split(/\r?\n/);
  registerSecret(password);
  if (password === '') throw new UsageError(['--password-stdin: there is no password on stdin']);
  if (locate({}).password !== null) {
    throw new UsageError(['--password-stdin: there is a password in the URL too']);
  }
  return { ...place, password };
}

/** A load is the last thing to be sent to a server by mistake. */
export async function refuseRemote(host: string): Promise<void> {
  if (await isLoopback(host)) return;
  throw new UsageError([
    {
      message: `${host} is not this machine, and a load test leaves it only when told to`,
      hint: 'give --allow-remote if that server may be put under load',
    },
  ]);
}

/** The certificates of --ca; null where it was not given. */
export async function readCa({ options, io }: LoadContext): Promise<string | null> {
  const { ca } = options;
  if (ca === null) return null;
  const text = await readFile(resolve(io.cwd, ca), 'utf8').catch((cause: unknown) => {
    throw new UnavailableError(`cannot read ${JSON.stringify(ca)}: ${fileFault(cause)}`, {
      code: 'ERR_CA_FILE',
      cause,
    });
  });
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new UsageError([`--ca: there is no certificate in PEM form in ${JSON.stringify(ca)}`]);
  return text;
}

/** Settings that programs write in code are options here. */
export function inOptions(error: unknown): unknown {
  const { code, message, hint } = error as { code?: unknown; message: string; hint?: unknown };
  if (!(error instanceof Error) || typeof code !== 'string' || !/^ERR_(HTTP|FEED)_TLS$/.test(code))
    return error;
  if (typeof hint !== 'string' || !hint.includes('tls.ca')) return error;
  return new UnavailableError(message, {
    code,
    cause: error.cause,
    hint: 'if it is to be trusted, give its issuer with --ca FILE',
  });
}

function onceEach(tell: (text: string) => void): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (!told.has(text)) tell(text);
    told.add(text);
  };
}
