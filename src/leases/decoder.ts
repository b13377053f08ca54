import { crc32 } from 'node:zlib';
import { CodedError } from '../base/coded-error.js';
import {
  type EndReason,
  FRAME_BYTES,
  Kind,
  MAGIC,
  Meta,
  MOST_PAYLOAD,
  type RecordedPoolFacts,
  type RecordedProcess,
} from './format.js';
import { Fate, type Gauge, type LeaseColumns, type RecordedPool, type Recording } from './recording.js';

/** A file is no recording of leases, or one of a later version. */
export class RecordingError extends CodedError<'ERR_LEASE_RECORDING'> {
  constructor(file: string, problem: string) {
    super('ERR_LEASE_RECORDING', `${file} ${problem}`, {
      hint: 'make one with: poolctl run --record-leases FILE -- node app.js',
    });
    this.name = 'RecordingError';
  }
}

/** Whether these are the first bytes of a recording of leases. */
export function isRecording(bytes: Buffer): boolean {
  return bytes.subarray(0, MAGIC.length).equals(MAGIC);
}

/**
 * Reads a recording. A block that is cut off or damaged is left out and counted in `lostBytes`. Throws RecordingError where
 * the file is something else.
 */
export function decodeRecording(bytes: Buffer, file: string): Recording {
  if (!isRecording(bytes)) {
    throw new RecordingError(file, bytes.length === 0 ? 'is empty' : 'is not a recording of leases');
  }
  const tape = new Tape();
  let at = MAGIC.length;
  let lost = 0;
  while (at < bytes.length) {
    const payload = payloadAt(bytes, at);
    if (payload === null) {
      lost += bytes.length - at;
      break;
    }
    const { body, isSound } = payload;
    if (!isSound || !tape.read(body)) lost += body.length + FRAME_BYTES;
    at += FRAME_BYTES + body.length;
  }
  return tape.recording(bytes.length, lost);
}

function payloadAt(bytes: Buffer, at: number): { body: Buffer; isSound: boolean } | null {
  if (at + FRAME_BYTES > bytes.length) return null;
  const length = bytes.readUInt32LE(at);
  const from = at + FRAME_BYTES;
  if (length > MOST_PAYLOAD || from + length > bytes.length) return null;
  const body = bytes.subarray(from, from + length);
  return { body, isSound: crc32(body) === bytes.readUInt32LE(at + 4) };
}

/** Columns that grow. */
class Rows {
  count = 0;
  asked = new Float64Array(1024);
  waited = new Float64Array(1024);
  held = new Float64Array(1024);
  site = new Int32Array(1024);
  fate = new Uint8Array(1024);

  add(askedUs: number, waitedUs: number, heldUs: number, site: number, fate: number): void {
    if (this.count === this.asked.length) this.#grow();
    const at = this.count++;
    this.asked[at] = askedUs / 1000;
    this.waited[at] = waitedUs / 1000;
    this.held[at] = heldUs / 1000;
    this.site[at] = site;
    this.fate[at] = fate;
  }

  #grow(): void {
    const room = this.count * 2;
    const wider = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(room);
      to.set(from);
      return to;
    };
    this.asked = wider(this.asked);
    this.waited = wider(this.waited);
    this.held = wider(this.held);
    const site = new Int32Array(room);
    site.set(this.site);
    this.site = site;
    const fate = new Uint8Array(room);
    fate.set(this.fate);
    this.fate = fate;
  }
}

interface OpenLease {
  readonly site: number;
  readonly atUs: number;
  readonly ageUs: number;
  readonly waitedUs: number;
  readonly isPurpose: boolean;
}

class PoolPart {
  facts: RecordedPoolFacts | null = null;
  readonly rows = new Rows();
  readonly connects: { atMs: number; tookMs: number | null }[] = [];
  readonly gauges: Gauge[] = [];
  readonly gaveUp: { atUs: number; count: number; waitedUs: number }[] = [];
  open: OpenLease[] = [];
}

class Tape {
  readonly #pools = new Map<number, PoolPart>();
  readonly #sites = new Map<number, { readonly pool: number; readonly text: string | null }>();
  #process: RecordedProcess | null = null;
  #end: EndReason | null = null;
  #lastUs = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** Whether the whole block made sense. */
  read(payload: Buffer): boolean {
    this.#bytes = payload;
    this.#at = 0;
    let nowUs: number;
    try {
      nowUs = this.#number();
      while (this.#at < payload.length) nowUs = this.#record(nowUs);
    } catch {
      return false;
    }
    this.#lastUs = Math.max(this.#lastUs, nowUs);
    return true;
  }

  #record(beforeUs: number): number {
    const head = this.#number();
    const kind = head % 8;
    const of = Math.floor(head / 8);
    if (kind === Kind.Pool) {
      this.#pool(of).facts = JSON.parse(this.#text()) as RecordedPoolFacts;
      return beforeUs;
    }
    if (kind === Kind.Site) {
      const pool = this.#number();
      this.#sites.set(of, { pool, text: this.#text() || null });
      return beforeUs;
    }
    if (kind === Kind.Meta) {
      const value: unknown = JSON.parse(this.#text());
      if (of === Meta.Process) this.#process = value as RecordedProcess;
      else if (of === Meta.End) this.#end = value as EndReason;
      return beforeUs;
    }
    const atUs = beforeUs + this.#number();
    this.#event(kind, of, atUs);
    return atUs;
  }

  #event(kind: number, of: number, atUs: number): void {
    const atMs = atUs / 1000;
    switch (kind) {
      case Kind.Lease: {
        const heldUs = this.#number();
        const waitedUs = this.#number();
        this.#poolOf(of).rows.add(atUs - heldUs - waitedUs, waitedUs, heldUs, of, Fate.Returned);
        break;
      }
      case Kind.Connect: {
        const took = this.#number();
        this.#pool(of).connects.push({ atMs, tookMs: took === 0 ? null : (took - 1) / 1000 });
        break;
      }
      case Kind.GaveUp: {
        const count = this.#number();
        this.#pool(of).gaveUp.push({ atUs, count, waitedUs: this.#number() });
        break;
      }
      case Kind.Gauge: {
        const [live, idle, inUse, waiting] = [this.#number(), this.#number(), this.#number(), this.#number()];
        const pool = this.#pool(of);
        pool.gauges.push({ atMs, live, idle, inUse, waiting });
        pool.open = [];
        break;
      }
      case Kind.Open: {
        const [ageUs, waitedUs] = [this.#number(), this.#number()];
        const isPurpose = this.#number() === 1;
        this.#poolOf(of).open.push({ site: of, atUs, ageUs, waitedUs, isPurpose });
        break;
      }
      default:
        throw new RangeError(`no kind ${kind}`);
    }
  }

  #pool(id: number): PoolPart {
    let pool = this.#pools.get(id);
    if (pool === undefined) {
      pool = new PoolPart();
      this.#pools.set(id, pool);
    }
    return pool;
  }

  #poolOf(site: number): PoolPart {
    const known = this.#sites.get(site);
    if (known === undefined) throw new RangeError(`no site ${site}`);
    return this.#pool(known.pool);
  }

  #number(): number {
    const bytes = this.#bytes;
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[this.#at++];
      if (byte === undefined || scale > 2 ** 49) throw new RangeError('a number is cut off');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  #text(): string {
    const length = this.#number();
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new RangeError('a text is cut off');
    return this.#bytes.toString('utf8', from, this.#at);
  }

  recording(bytes: number, lostBytes: number): Recording {
    const pools = [...this.#pools.values()].flatMap((pool) =>
      pool.facts === null ? [] : [this.#finished(pool, pool.facts)],
    );
    return {
      ...{ process: this.#process, durationMs: this.#lastUs / 1000, pools, end: this.#end },
      ...{ lostBytes, bytes },
    };
  }

  #finished(pool: PoolPart, facts: RecordedPoolFacts): RecordedPool {
    const { rows } = pool;
    const unknown = -1;
    for (const { site, atUs, ageUs, waitedUs, isPurpose } of pool.open) {
      rows.add(atUs - ageUs - waitedUs, waitedUs, ageUs, site, isPurpose ? Fate.OnPurpose : Fate.Out);
    }
    let sinceUs = 0;
    for (const { atUs, count, waitedUs } of pool.gaveUp) {
      // How many gave up since the last look is known, and not when: they are spread over it.
      const spanUs = count === 1 ? 0 : Math.min(500_000, atUs - sinceUs);
      for (let i = 0; i < count; i++) {
        const endUs = atUs - (spanUs * i) / count;
        rows.add(endUs - waitedUs, waitedUs, 0, unknown, Fate.GaveUp);
      }
      sinceUs = atUs;
    }
    const { connects, gauges } = pool;
    return { ...facts, ...this.#columns(rows), connects, gauges };
  }

  /** In the order of asking, with the pool's own numbers of sites. */
  #columns(rows: Rows): Pick<RecordedPool, 'leases' | 'sites'> {
    const { count } = rows;
    const order = new Uint32Array(count).map((_, at) => at);
    order.sort((one, other) => (rows.asked[one] ?? 0) - (rows.asked[other] ?? 0));
    const sites: (string | null)[] = [null];
    const numbers = new Map<string | null, number>([[null, 0]]);
    const numberOf = new Map<number, number>();
    const leases: LeaseColumns = {
      count,
      askedMs: new Float64Array(count),
      waitedMs: new Float64Array(count),
      heldMs: new Float64Array(count),
      site: new Int32Array(count),
      fate: new Uint8Array(count),
    };
    for (let to = 0; to < count; to++) {
      const from = order[to] ?? 0;
      const site = rows.site[from] ?? -1;
      let number = numberOf.get(site);
      if (number === undefined) {
        const text = this.#sites.get(site)?.text ?? null;
        number = numbers.get(text) ?? sites.push(text) - 1;
        numbers.set(text, number);
        numberOf.set(site, number);
      }
      leases.askedMs[to] = rows.asked[from] ?? 0;
      leases.waitedMs[to] = rows.waited[from] ?? 0;
      leases.heldMs[to] = rows.held[from] ?? 0;
      leases.fate[to] = rows.fate[from] ?? 0;
      leases.site[to] = number;
    }
    return { leases, sites };
  }
}
