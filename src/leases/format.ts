/**
 * The file of recorded leases. It starts with MAGIC. Blocks follow: the length of the payload and its CRC-32, each as 32
 * bits in little-endian order, then the payload. So a file whose end was cut off, by a kill or a full disk, is readable up
 * to its last whole block.
 *
 * A payload is the block's start in microseconds since the start of the recording, then records. Every number is a LEB128
 * varint. The low three bits of the first number of a record are its kind, the rest is a pool or a site. Times are deltas
 * to the record before. A lease takes 5 to 9 bytes.
 */
export const MAGIC = Buffer.from('poolctl leases 1\n', 'latin1');

/** The length and the checksum before each payload. */
export const FRAME_BYTES = 8;

/** A longer payload is damage. */
export const MOST_PAYLOAD = 1 << 20;

/** The kinds of records, each with its numbers. Texts are their length in bytes and UTF-8. */
export const Kind = {
  /** site: delta of the release, held, waited. */
  Lease: 0,
  /** pool: text, a PoolFacts as JSON. The last one of a pool counts. */
  Pool: 1,
  /** site: pool, text; an empty text is a call that was not looked at. */
  Site: 2,
  /** pool: delta, 1 + how long the connect took; 0 where that is not known. */
  Connect: 3,
  /** pool: delta, acquires that gave up, how long each of them had waited. */
  GaveUp: 4,
  /** site: delta, age, waited, 1 if it is out on purpose. It follows the gauge of its pool. */
  Open: 5,
  /** pool: delta, live, idle, in use, waiting. It makes the open leases of the pool that came before void. */
  Gauge: 6,
  /** One of Meta: text as JSON. */
  Meta: 7,
} as const;

export const Meta = {
  /** A RecordedProcess. */
  Process: 0,
  /** An EndReason. */
  End: 1,
} as const;

/** The process whose pools were recorded. */
export interface RecordedProcess {
  readonly app: string;
  readonly pid: number;
  readonly node: string;
  /** Milliseconds since the epoch when the recording began. */
  readonly startedAtMs: number;
}

/** How a recording ended: with its process, at its size limit, or because its reader left. */
export type EndReason = 'exit' | 'limit' | 'stopped';

/** The setup of a recorded pool. null: not known. */
export interface RecordedPoolFacts {
  readonly name: string;
  readonly driver: string;
  /** The library whose algorithm the pool has; `poolctl` for pools of its own. */
  readonly library: string;
  /** The most connections that it opens, overflow included; null where it has no limit. */
  readonly size: number | null;
  readonly acquireTimeoutMs: number | 'never' | null;
  readonly maxIdleMs: number | 'never' | null;
  /** A lease out for longer is a leak. */
  readonly leakAfterMs: number | 'never' | null;
  /** How long a connection may be idle before it is checked when it is lent. Absent: not known. */
  readonly checkIdleMs?: number | 'never' | null;
  /** Whether the connection that came back last is lent first. Absent: as the library does by default. */
  readonly lifo?: boolean | null;
}
