/**
 * The frames of the TWS protocol: `API\0` and a frame with the client's range of versions once; then, both ways,
 * a length of four bytes (big-endian) and the fields, each ended by a NUL. Pure: bytes in, texts out.
 */

/**
 * The content of a connection's bytes: the greeting, then messages; or the reason why they are unreadable, for good.
 */
export type Inbound =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'message'; readonly fields: readonly string[] }
  | { readonly kind: 'bad'; readonly reason: BadBytes };

/** The versions that a client speaks, as it says first. */
export interface Hello {
  readonly fromVersion: number;
  readonly toVersion: number;
  /** The text after the versions, such as `+PACEAPI`. Empty for most clients. */
  readonly connectOptions: string;
}

/** Why bytes are no TWS protocol. */
export type BadBytes =
  | 'not the TWS protocol'
  /** A client of before 2016, whose messages have no length. */
  | 'no length prefixes'
  | 'bad version range'
  | 'frame too long'
  | 'empty frame';

/** No request of the protocol comes near; what announces more is garbage, and is not waited for. */
export const MOST_FRAME_BYTES = 1_000_000;
/** `v100..193 +PACEAPI` and the like. */
const MOST_HELLO_BYTES = 1000;
const PREFIX = Buffer.from('API\0');
const LENGTH_BYTES = 4;

/**
 * Takes one client's stream apart. Whatever the sizes of the pieces that it comes in, it keeps no more than one frame
 * of at most MOST_FRAME_BYTES, and refuses a longer one as soon as its length has been read.
 */
export class FrameReader {
  /** Pieces of a frame that is not whole yet: joined once, when it may be. */
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  /** With fewer than that there is nothing to look at. */
  #neededBytes = 1;
  #phase: 'prefix' | 'hello' | 'messages' | 'bad' = 'prefix';

  /** Bytes of a frame that is not whole yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** All that the next piece completes, in order. After `bad` nothing follows. */
  take(piece: Buffer): Inbound[] {
    if (this.#phase === 'bad') return [];
    this.#pieces.push(piece);
    this.#heldBytes += piece.length;
    if (this.#heldBytes < this.#neededBytes) return [];
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    const found: Inbound[] = [];
    const rest = bytes.subarray(this.#parse(bytes, found));
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#heldBytes = rest.length;
    return found;
  }

  /** Gives where the bytes begin that are kept. */
  #parse(bytes: Buffer, found: Inbound[]): number {
    let at = 0;
    for (;;) {
      const left = bytes.length - at;
      if (this.#phase === 'prefix') {
        const old = oldGreeting(bytes.subarray(at));
        if (old === 'whole') return this.#bad('no length prefixes', bytes, found);
        if (old === 'begun') {
          this.#neededBytes = left + 1;
          return at;
        }
        const length = Math.min(PREFIX.length, left);
        // Said at the first byte that differs: an HTTP client would wait for ever.
        if (bytes.compare(PREFIX, 0, length, at, at + length) !== 0)
          return this.#bad('not the TWS protocol', bytes, found);
        this.#neededBytes = length + 1;
        if (length < PREFIX.length) return at;
        this.#phase = 'hello';
        at += PREFIX.length;
        continue;
      }
      this.#neededBytes = LENGTH_BYTES;
      if (left < LENGTH_BYTES) return at;
      const length = bytes.readUInt32BE(at);
      if (length > (this.#phase === 'hello' ? MOST_HELLO_BYTES : MOST_FRAME_BYTES))
        return this.#bad('frame too long', bytes, found);
      if (length === 0) return this.#bad('empty frame', bytes, found);
      this.#neededBytes = LENGTH_BYTES + length;
      if (left < this.#neededBytes) return at;
      const text = bytes.toString('utf8', at + LENGTH_BYTES, at + this.#neededBytes);
      at += this.#neededBytes;
      if (this.#phase === 'messages') {
        found.push({ kind: 'message', fields: fieldsOf(text) });
        continue;
      }
      const hello = parseHello(text);
      if (hello === null) return this.#bad('bad version range', bytes, found);
      this.#phase = 'messages';
      found.push({ kind: 'hello', hello });
    }
  }

  #bad(reason: BadBytes, bytes: Buffer, found: Inbound[]): number {
    this.#phase = 'bad';
    found.push({ kind: 'bad', reason });
    return bytes.length;
  }
}

/** One message as clients without length prefixes read it. */
export function encodeUnframed(fields: readonly Field[]): Buffer {
  return Buffer.from(fields.map((field) => `${fieldText(field)}\0`).join(''));
}

/** Whether bytes are the greeting of an old client: its version as two digits, and a NUL. */
function oldGreeting(bytes: Buffer): 'whole' | 'begun' | null {
  const text = bytes.toString('latin1', 0, 3);
  if (/^\d\d\0/.test(text)) return 'whole';
  return text.length > 0 && /^\d{1,2}$/.test(text) ? 'begun' : null;
}

/** Fields that are joined already, with a NUL between each two: what is long, and sent often, is written once. */
export class JoinedFields {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value of a field; true and false are 1 and 0, null is empty. */
export type Field = string | number | boolean | null | JoinedFields;

/** One message as it is sent. */
export function encodeFrame(fields: readonly Field[]): Buffer {
  let text = '';
  for (const field of fields) text += `${fieldText(field)}\0`;
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame.write(text, LENGTH_BYTES);
  return frame;
}

/** The greeting of a client, as a frame reader takes it: for tests, and for clients of one's own. */
export function encodeHello(versions: string): Buffer {
  const text = Buffer.from(versions);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(text.length);
  return Buffer.concat([PREFIX, length, text]);
}

/** From server version 153 on, texts for people are ASCII, with \\u escapes. */
export function escapeUnicode(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** No field holds a NUL: it would be read as two. */
function fieldText(field: Field): string {
  if (typeof field === 'string') return field.includes('\0') ? field.replaceAll('\0', ' ') : field;
  if (typeof field === 'boolean') return field ? '1' : '0';
  if (field instanceof JoinedFields) return field.text;
  return field === null ? '' : String(field);
}

/** Clients end each field with a NUL, also the last; one that is missing is forgiven. */
function fieldsOf(text: string): string[] {
  return (text.endsWith('\0') ? text.slice(0, -1) : text).split('\0');
}

function parseHello(text: string): Hello | null {
  // Some clients end it with a NUL, as they do all else.
  const [, from, to = from, connectOptions = ''] =
    /^v(\d{1,6})(?:\.\.(\d{1,6}))?(?: (.*?))?\0?$/s.exec(text) ?? [];
  if (from === undefined || Number(from) > Number(to)) return null;
  return { fromVersion: Number(from), toVersion: Number(to), connectOptions };
}
