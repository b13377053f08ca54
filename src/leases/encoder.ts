import { crc32 } from 'node:zlib';
import { FRAME_BYTES, Kind, type Meta, type RecordedPoolFacts } from './format.js';

/** A block is closed beyond so many bytes; the longest record still fits behind. */
const FULL_BYTES = 48 << 10;
const BLOCK_BYTES = 64 << 10;
/** Longer texts are cut off. */
const MOST_TEXT = 4000;

/** Writes records into blocks. Encoding a lease allocates nothing. */
export class LeaseEncoder {
  readonly #buffer = Buffer.allocUnsafe(BLOCK_BYTES);
  readonly #full: (block: Buffer) => void;
  #at = FRAME_BYTES;
  #lastUs = 0;
  #isEmpty = true;

  /** `full` receives each block that is full; the buffer is its own. */
  constructor(full: (block: Buffer) => void) {
    this.#full = full;
  }

  /** Durations and times are whole microseconds; `atUs` counts from the start of the recording. */
  lease(site: number, atUs: number, heldUs: number, waitedUs: number): void {
    this.#begin(Kind.Lease, site, atUs);
    this.#time(atUs);
    this.#number(heldUs);
    this.#number(waitedUs);
  }

  pool(pool: number, atUs: number, facts: RecordedPoolFacts): void {
    this.#begin(Kind.Pool, pool, atUs);
    this.#text(JSON.stringify(facts));
  }

  site(site: number, atUs: number, pool: number, text: string | null): void {
    this.#begin(Kind.Site, site, atUs);
    this.#number(pool);
    this.#text(text ?? '');
  }

  connect(pool: number, atUs: number, tookUs: number | null): void {
    this.#begin(Kind.Connect, pool, atUs);
    this.#time(atUs);
    this.#number(tookUs === null ? 0 : tookUs + 1);
  }

  gaveUp(pool: number, atUs: number, count: number, waitedUs: number): void {
    this.#begin(Kind.GaveUp, pool, atUs);
    this.#time(atUs);
    this.#number(count);
    this.#number(waitedUs);
  }

  gauge(
    pool: number,
    atUs: number,
    { live, idle, inUse, waiting }: { live: number; idle: number; inUse: number; waiting: number },
  ): void {
    this.#begin(Kind.Gauge, pool, atUs);
    this.#time(atUs);
    for (const figure of [live, idle, inUse, waiting]) this.#number(figure);
  }

  open(site: number, atUs: number, ageUs: number, waitedUs: number, isPurpose: boolean): void {
    this.#begin(Kind.Open, site, atUs);
    this.#time(atUs);
    this.#number(ageUs);
    this.#number(waitedUs);
    this.#number(isPurpose ? 1 : 0);
  }

  meta(which: (typeof Meta)[keyof typeof Meta], atUs: number, value: unknown): void {
    this.#begin(Kind.Meta, which, atUs);
    this.#text(JSON.stringify(value));
  }

  /** The records so far as a block of their own; null if there are none. */
  take(): Buffer | null {
    if (this.#isEmpty) return null;
    const block = Buffer.from(this.#buffer.subarray(0, this.#at));
    const payload = block.subarray(FRAME_BYTES);
    block.writeUInt32LE(payload.length, 0);
    block.writeUInt32LE(crc32(payload), 4);
    this.#at = FRAME_BYTES;
    this.#isEmpty = true;
    return block;
  }

  #begin(kind: number, of: number, atUs: number): void {
    if (this.#at > FULL_BYTES) {
      const block = this.take();
      if (block !== null) this.#full(block);
    }
    if (this.#isEmpty) {
      this.#isEmpty = false;
      this.#number(atUs);
      this.#lastUs = atUs;
    }
    this.#number(of * 8 + kind);
  }

  /** Events are recorded in their order; a clock that steps back is not followed. */
  #time(atUs: number): void {
    const delta = atUs - this.#lastUs;
    if (delta > 0) {
      this.#lastUs = atUs;
      this.#number(delta);
    } else this.#number(0);
  }

  #number(value: number): void {
    const buffer = this.#buffer;
    let at = this.#at;
    let left = value;
    while (left > 0x7fffffff) {
      buffer[at++] = (left % 128) | 128;
      left = Math.floor(left / 128);
    }
    let small = left | 0;
    while (small > 127) {
      buffer[at++] = (small & 127) | 128;
      small >>>= 7;
    }
    buffer[at++] = small;
    this.#at = at;
  }

  #text(text: string): void {
    const bytes = Buffer.from(text.slice(0, MOST_TEXT), 'utf8');
    this.#number(bytes.length);
    bytes.copy(this.#buffer, this.#at);
    this.#at += bytes.length;
  }
}
