import type { Value } from '../workloads/expression.js';

/** PostgreSQL's message of a kind, with this body. */
export function messageOf(type: string, body: Uint8Array): Uint8Array {
  const message = Buffer.alloc(body.length + 5);
  message.write(type, 0, 'latin1');
  message.writeInt32BE(body.length + 4, 1);
  message.set(body, 5);
  return message;
}

export const SYNC: Uint8Array = messageOf('S', new Uint8Array(0));

/** Gives a statement a name; the server finds out the types of its parameters. */
export function parseMessage(name: string, sql: string): Uint8Array {
  return messageOf('P', Buffer.from(`${name}\0${sql}\0\0\0`, 'utf8'));
}

/** A script in a message of its own. */
export function queryMessage(sql: string): Uint8Array {
  return messageOf('Q', Buffer.from(`${sql}\0`, 'utf8'));
}

/** The unchanging parts of the messages that execute a prepared statement: Bind and Execute. */
export interface Template {
  readonly parameters: number;
  /** Bind, up to the values: the portal and the name, values as text. */
  readonly before: Uint8Array;
  /** The rest of Bind, which asks for results as text, and Execute without a limit of rows. */
  readonly after: Uint8Array;
}

/** Bytes of `after` that belong to Bind. */
const OF_BIND = 2;

export function templateOf(name: string, parameters: number): Template {
  const before = Buffer.alloc(name.length + 11);
  before.write('B', 0, 'latin1');
  before.write(`\0${name}\0`, 5, 'latin1');
  before.writeInt16BE(0, name.length + 7);
  before.writeInt16BE(parameters, name.length + 9);
  return { parameters, before, after: Buffer.concat([Buffer.alloc(OF_BIND), EXECUTE]) };
}

const EXECUTE = messageOf('E', new Uint8Array(5));
const LEAST_BYTES = 256;
/** A number that is written digit by digit takes no more than this. */
const LONGEST_NUMBER = 25;

/** Collects messages, to be sent in one write. */
export class Outbox {
  #bytes = Buffer.allocUnsafe(LEAST_BYTES);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Adds one execution of a prepared statement, with these values for its parameters. */
  execute({ before, after }: Template, values: readonly Value[]): void {
    const start = this.#length;
    this.add(before);
    for (const value of values) this.#value(value);
    this.#lengthAt(start + 1, this.#length - start - 1 + OF_BIND);
    this.add(after);
  }

  add(message: Uint8Array): void {
    this.#reserve(message.length);
    const bytes = this.#bytes;
    let at = this.#length;
    // Shorter than a call would take for so few bytes.
    if (message.length < 64) for (let i = 0; i < message.length; i++) bytes[at++] = message[i] as number;
    else {
      bytes.set(message, at);
      at += message.length;
    }
    this.#length = at;
  }

  /** Everything so far, which is valid until something is added. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return taken;
  }

  /** Leaves what was taken to those that still hold it. */
  renew(): void {
    this.#bytes = Buffer.allocUnsafe(this.#bytes.length);
  }

  #value(value: Value): void {
    if (value === null) {
      this.#reserve(4);
      this.#lengthAt(this.#length, 0xffff_ffff);
      this.#length += 4;
    } else if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) this.#digits(value);
    else this.#text(String(value));
  }

  #digits(value: number): void {
    this.#reserve(4 + LONGEST_NUMBER);
    const bytes = this.#bytes;
    let digits = 1;
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
    const start = this.#length + 4;
    let rest = value;
    for (let at = start + digits - 1; at >= start; at--) {
      const next = Math.floor(rest / 10);
      // The difference first: the sum may be beyond what a number holds exactly.
      bytes[at] = 48 + (rest - next * 10);
      rest = next;
    }
    this.#lengthAt(this.#length, digits);
    this.#length = start + digits;
  }

  #text(text: string): void {
    const most = text.length * 3;
    this.#reserve(4 + most);
    const written = this.#bytes.write(text, this.#length + 4, 'utf8');
    this.#lengthAt(this.#length, written);
    this.#length += 4 + written;
  }

  #lengthAt(at: number, length: number): void {
    const bytes = this.#bytes;
    bytes[at] = length >>> 24;
    bytes[at + 1] = length >>> 16;
    bytes[at + 2] = length >>> 8;
    bytes[at + 3] = length;
  }

  #reserve(more: number): void {
    const wanted = this.#length + more;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
