import { WireError } from './errors.js';

/** Receives what a server answers. */
export interface AnswerListener {
  /** A statement ended. `tag` is the first letter of its command tag, as a character code; 0 if it has none. */
  completed(tag: number): void;
  /** The server reported an error. */
  failed(fault: ServerFault): void;
  /** It is ready for what follows a Sync. `status` is I, T or E, as a character code. */
  ready(status: number): void;
}

/** An error of the server. */
export interface ServerFault {
  readonly severity: string;
  /** SQLSTATE. */
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

/** More of an error is not kept; its rest is skipped. */
const MOST_KEPT = 16_384;
/** The longest command tag is 64 bytes. */
const LONGEST_TAG = 1024;
const LONGEST_MESSAGE = 0x3fff_ffff;
const HEADER = 5;

const BIND_COMPLETE = 0x32;
const COMMAND_COMPLETE = 0x43;
const DATA_ROW = 0x44;
const ERROR = 0x45;
const EMPTY_QUERY = 0x49;
const READY = 0x5a;
const SUSPENDED = 0x73;

/** Lengths that a message of a kind may have, its own four bytes included. Kinds that are not here have no place. */
const LENGTHS = new Map<string, readonly [least: number, most: number]>([
  ['1', [4, 4]],
  ['2', [4, 4]],
  ['3', [4, 4]],
  ['I', [4, 4]],
  ['n', [4, 4]],
  ['s', [4, 4]],
  ['Z', [5, 5]],
  ['C', [5, LONGEST_TAG]],
  ['D', [6, LONGEST_MESSAGE]],
  ['T', [6, LONGEST_MESSAGE]],
  ['t', [6, LONGEST_MESSAGE]],
  ['E', [5, LONGEST_MESSAGE]],
  ['N', [5, LONGEST_MESSAGE]],
  ['S', [6, LONGEST_MESSAGE]],
  ['A', [10, LONGEST_MESSAGE]],
]);
const COPY = new Set(['G', 'H', 'W', 'd', 'c']);

/** By type byte, for the walk. 0: no such message. */
const LEAST = new Uint32Array(256);
const MOST = new Uint32Array(256);
for (const [type, [least, most]] of LENGTHS) {
  LEAST[type.charCodeAt(0)] = least;
  MOST[type.charCodeAt(0)] = most;
}

/**
 * Walks through the answers of a PostgreSQL server from message to message, and counts. Nothing is decoded but the first
 * letter of a command tag, the transaction status, and errors. Rows are skipped by their length, so a long one takes no
 * memory. Reads may be cut anywhere.
 */
export class AnswerParser {
  rows = 0;
  bytes = 0;
  readonly #listener: AnswerListener;
  /** Bytes of the current message that are of no interest, and still to come. */
  #skip = 0;
  /** The beginning of a message that a read has cut. */
  #kept = new Uint8Array(64);
  #keptLength = 0;

  constructor(listener: AnswerListener) {
    this.#listener = listener;
  }

  /** Whether the last read ended in the middle of a message. */
  get isWithin(): boolean {
    return this.#skip > 0 || this.#keptLength > 0;
  }

  /** Takes in the first `length` of these bytes. Throws a WireError where they are no answer to a prepared statement. */
  read(bytes: Uint8Array, length: number): void {
    this.bytes += length;
    let at = 0;
    if (this.#keptLength > 0) at = this.#complete(bytes, length);
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, length - at);
      this.#skip -= skipped;
      at += skipped;
    }
    while (length - at >= HEADER) {
      const type = bytes[at] as number;
      const size = sizeAt(bytes, at);
      if (!isPossible(type, size)) throw unexpected(type, size);
      const end = at + 1 + size;
      if (end > length) break;
      this.#take(type, bytes, at, end);
      at = end;
    }
    if (at < length) this.#keep(bytes, at, length);
  }

  #take(type: number, bytes: Uint8Array, at: number, end: number): void {
    switch (type) {
      case BIND_COMPLETE:
        return;
      case DATA_ROW:
        this.rows++;
        return;
      case COMMAND_COMPLETE:
        this.#listener.completed(bytes[at + HEADER] as number);
        return;
      case READY:
        this.#listener.ready(bytes[at + HEADER] as number);
        return;
      case EMPTY_QUERY:
      case SUSPENDED:
        this.#listener.completed(0);
        return;
      case ERROR:
        // As much as is kept of one that a read has cut.
        this.#listener.failed(faultIn(bytes.subarray(at + HEADER, Math.min(end, at + MOST_KEPT))));
        return;
    }
  }

  /** Keeps the beginning of a message; of one that nobody reads only its length. */
  #keep(bytes: Uint8Array, at: number, length: number): void {
    const has = length - at;
    const whole = has < HEADER ? HEADER : 1 + sizeAt(bytes, at);
    const isRead = has < HEADER || isOfInterest(bytes[at] as number);
    if (!isRead) {
      if (bytes[at] === DATA_ROW) this.rows++;
      this.#skip = whole - has;
      return;
    }
    const wanted = Math.min(whole, MOST_KEPT);
    if (wanted > this.#kept.length) this.#kept = new Uint8Array(wanted);
    this.#add(bytes, at, length, wanted);
    if (has >= wanted && has >= HEADER) this.#end(bytes[at] as number, wanted, whole - has);
  }

  /** The kept part of a message is all that is read of it. */
  #end(type: number, wanted: number, rest: number): void {
    this.#keptLength = 0;
    this.#skip = rest;
    this.#take(type, this.#kept, 0, wanted);
  }

  /** Completes the message that was cut, as far as the bytes go. Answers where the next one begins. */
  #complete(bytes: Uint8Array, length: number): number {
    let at = 0;
    if (this.#keptLength < HEADER) {
      at = this.#add(bytes, at, length, HEADER);
      if (this.#keptLength < HEADER) return at;
    }
    const kept = this.#kept;
    const type = kept[0] as number;
    const size = sizeAt(kept, 0);
    if (!isPossible(type, size)) throw unexpected(type, size);
    const whole = 1 + size;
    if (!isOfInterest(type)) {
      if (type === DATA_ROW) this.rows++;
      this.#skip = whole - this.#keptLength;
      this.#keptLength = 0;
      return at;
    }
    const wanted = Math.min(whole, MOST_KEPT);
    if (wanted > this.#kept.length) {
      this.#kept = new Uint8Array(wanted);
      this.#kept.set(kept.subarray(0, this.#keptLength));
    }
    at = this.#add(bytes, at, length, wanted);
    if (this.#keptLength < wanted) return at;
    this.#end(type, wanted, whole - wanted);
    return at;
  }

  /** Adds bytes until so many are kept. Answers where they end. */
  #add(bytes: Uint8Array, from: number, length: number, wanted: number): number {
    const to = Math.min(length, from + wanted - this.#keptLength);
    this.#kept.set(bytes.subarray(from, to), this.#keptLength);
    this.#keptLength += to - from;
    return to;
  }
}

function sizeAt(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at + 1] as number) << 24) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 8) |
      (bytes[at + 4] as number)) >>>
    0
  );
}

function isPossible(type: number, size: number): boolean {
  const least = LEAST[type] as number;
  return least !== 0 && size >= least && size <= (MOST[type] as number);
}

/** Whether its bytes are looked at. */
function isOfInterest(type: number): boolean {
  return type === COMMAND_COMPLETE || type === READY || type === ERROR || LEAST[type] === 4;
}

function unexpected(type: number, size: number): WireError {
  const letter = String.fromCharCode(type);
  if (COPY.has(letter)) {
    return new WireError(
      'ERR_WIRE_PROTOCOL',
      'the server began a COPY, which the wire engine does not speak',
      {
        hint: 'Use the default engine, or leave COPY out of the script.',
      },
    );
  }
  const shown = /[ -~]/.test(letter) ? `'${letter}'` : `0x${type.toString(16).padStart(2, '0')}`;
  return new WireError(
    'ERR_WIRE_PROTOCOL',
    `the server sent a message of type ${shown} and length ${size}, which is no answer to a prepared statement`,
    { hint: 'Check that a PostgreSQL server listens there, and that nothing between changes its bytes.' },
  );
}

/** Reads the fields of an error; those that are cut off or missing are empty. */
function faultIn(body: Uint8Array): ServerFault {
  const fields = new Map<string, string>();
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  for (const field of text.split('\0')) {
    const [type] = field;
    if (type === undefined) break;
    if (!fields.has(type)) fields.set(type, field.slice(1));
  }
  return {
    severity: fields.get('V') ?? fields.get('S') ?? 'ERROR',
    code: fields.get('C') || 'XX000',
    message: fields.get('M') || 'the server reported an error without a message',
    hint: fields.get('H') ?? null,
  };
}
