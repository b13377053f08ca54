import type { Fields } from './bounds.js';
import { brokerFigures } from './broker.js';
import { feedFigures } from './feed.js';
import { httpFigures } from './http.js';
import { processReading } from './observed.js';
import { databasePool } from './pool.js';
import { poolerReading } from './pooler.js';
import {
  count,
  figure,
  flag,
  listOfAll,
  literal,
  type Made,
  nullOr,
  object,
  optional,
  orNull,
  type Read,
  readAs,
  type Schema,
  text,
  told,
  word,
} from './schema.js';
import { backend, serverReading } from './server.js';

/** A process that publishes its pools. */
export const app = object({
  /** `--name`, or that of its package or script. */
  name: text,
  pid: count,
  host: told(text),
  node: told(text),
  /** Milliseconds since the epoch. */
  startedAtMs: told(figure),
});

/** The first line on the socket of an application. */
export const hello = object({ schema: literal(1), app });

/** The parts that only pools of one kind have. */
const parts = {
  /** Only in a pool of broker connections. */
  ib: optional(brokerFigures),
  /** Only in a pool of subscriptions to a feed. */
  feed: optional(feedFigures),
  /** Only in a pool of HTTP connections. */
  http: optional(httpFigures),
};

const onlyParts = object(parts);

/** The parts of a snapshot that only its kind of pool has. A malformed one is left out. */
export function partsOf({ ib, feed, http }: Fields): Pick<PoolReading, keyof typeof parts> {
  return readAs(onlyParts, { ib, feed, http }) ?? {};
}

/** A pool of an application, of whichever kind. */
export const poolReading = object({
  ...databasePool.entries,
  ...parts,
  /** null where the source is not an application. */
  app: orNull(app),
});

const SOURCE_KINDS = ['pool', 'postgres', 'mysql', 'pgbouncer', 'prometheus'] as const;

/** A newer version may have more kinds: readers compare it with the kinds they know, and must not rely on the others. */
const sourceKind = word(SOURCE_KINDS) as Schema<SourceKind>;

/** Something that could not be read, and why: `query texts of other users`: `needs pg_read_all_stats`. */
export const gap = object({ what: text, why: text });

/** One poll of a source. Parts that this kind of source does not have are empty, or null. */
export const reading = object({
  source: text,
  kind: sourceKind,
  /** Milliseconds since the epoch, by the clock of this machine. */
  takenAtMs: figure,
  pools: listOfAll(poolReading),
  backends: listOfAll(backend),
  server: nullOr(serverReading),
  pooler: nullOr(poolerReading),
  gaps: listOfAll(gap),
  /** The application that is read, with pools or without. Absent in sources of other kinds. */
  app: optional(app),
  /** Facts of a source that is an application. Absent where it does not tell. */
  process: optional(processReading),
});

/** Why a source cannot be read. */
export const stale = object({
  /** When the first reading failed since the last that succeeded: milliseconds since the epoch. */
  sinceMs: figure,
  why: text,
  hint: orNull(text),
  /** How many readings have failed since. */
  failures: count,
  /** Time until the next try, in milliseconds from the last failure. */
  retryMs: figure,
  /** Whether the process that was read has ended. Absent where it may answer again. */
  ended: optional(flag),
});

/** A source at one moment. */
const sourceState = object({
  label: text,
  kind: sourceKind,
  /** The last reading that succeeded; null before the first. */
  reading: nullOr(reading),
  /** Why the reading is not current; null where it is, and before the first try. */
  stale: nullOr(stale),
  /** Duration of the last reading, in milliseconds; null before the first success. */
  readMs: orNull(figure),
});

/** All sources at one moment: what the screen shows, a recording holds, and `--json` prints. */
export const tick = object({
  /** Milliseconds since the epoch. */
  atMs: figure,
  /** The same by a monotonic clock, whose zero means nothing. Absent in old recordings. */
  steadyMs: optional(orNull(figure)),
  sources: listOfAll(sourceState),
});

/** A process that publishes its pools. */
export interface App extends Made<typeof app> {}
/** The same, as read from any version. */
export interface AppReading extends Read<typeof app> {}
/** A pool of an application. */
export interface PoolReading extends Read<typeof poolReading> {}
export type SourceKind = (typeof SOURCE_KINDS)[number];
export interface ProcessReading extends Read<typeof processReading> {}
export interface Gap extends Read<typeof gap> {}
/** One poll of a source. Parts that this kind of source does not have are empty, or null. */
export interface Reading extends Read<typeof reading> {}
/** Why a source cannot be read. */
export interface Stale extends Read<typeof stale> {}
/** A source at one moment. */
export interface SourceState extends Read<typeof sourceState> {}
/** All sources at one moment: what the screen shows, a recording holds, and `--json` prints. */
export interface Tick extends Read<typeof tick> {}
