import { chmodSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import { CodedError } from '../base/coded-error.js';
import { asError } from '../base/promises.js';
import type { App } from '../snapshot/reading.js';
import { ensureSocketFolder, type SocketOwner, socketPath } from './directory.js';
import type { Hello, PublishedPools } from './protocol.js';

/** Where pools are published: at the user's own place, or on a port of this machine. */
export type PublishAt =
  | {
      readonly kind: 'socket';
      readonly owner: SocketOwner;
      readonly pid: number;
      /** Tells the threads of a process apart; the main thread is 0. */
      readonly thread: number;
    }
  | {
      readonly kind: 'port';
      readonly host: string;
      readonly port: number;
      /** So many ports above it are tried where it is taken. Default none. */
      readonly further?: number;
    };

export interface PublishOptions {
  readonly app: App;
  readonly at: PublishAt;
  /** Asked only when a reader asks. */
  readonly read: () => PublishedPools;
  readonly clock: Clock;
}

/** What is published until it is closed. It never keeps the process alive. */
export interface Published {
  /** As `poolctl top` takes it: a path, or `HOST:PORT`. */
  readonly address: string;
  /** Ends it, and removes the socket. Synchronous, so that it works when the process exits. */
  close(): void;
}

/** The socket or the port cannot be had. */
export class PublishError extends CodedError<'ERR_PUBLISH'> {
  constructor(message: string, cause: unknown) {
    super('ERR_PUBLISH', message, { cause });
    this.name = 'PublishError';
  }
}

/** More readers than that at once: the one that has been silent longest makes way. */
const MOST_READERS = 16;
/** Requests that came in one piece; whoever sends more has not waited for answers and is cut off. */
const MOST_ASKED = 64;
/** The pools are looked at no oftener than this, however many ask, and a reader gets one answer in that time. */
const FRESH_MS = 50;

/**
 * Publishes pools to readers on this machine (see Hello for what is spoken). Nothing is read before somebody asks, at
 * most twenty times a second in all; to a reader that does not take its answer nothing more is sent, and nothing more
 * is taken from it. Rejects where the place cannot be had.
 */
export async function publish(options: PublishOptions): Promise<Published> {
  const { at } = options;
  const path = at.kind === 'port' ? null : socketPath(at.owner, at.pid, at.thread);
  // Pipes are no files.
  const file = at.kind === 'socket' && at.owner.platform !== 'win32' ? path : null;
  if (at.kind === 'socket') await ensureSocketFolder(at.owner);
  // A process before us with the same number has left it behind.
  if (file !== null) removeFile(file);
  const answers = new Answers(options.read, options.clock);
  const hello: Hello = { schema: 1, app: options.app };
  const readers = new Set<Reader>();
  const server = createServer((socket) => {
    if (readers.size >= MOST_READERS) silentLongest(readers).drop();
    const reader = new Reader(socket, answers, options.clock, () => readers.delete(reader));
    readers.add(reader);
    socket.write(`${JSON.stringify(hello)}\n`);
  });
  // Of a cluster's workers each has its own: without `exclusive` the primary would listen in their place.
  if (at.kind === 'port') await listeningFrom(server, at);
  else await listening(server, { path: path as string, exclusive: true });
  if (file !== null) chmodSync(file, 0o600);
  return {
    address: path ?? portOf(server),
    close() {
      server.close();
      for (const reader of [...readers]) reader.drop();
      if (file !== null) removeFile(file);
    },
  };
}

/** The pools as text, kept for a moment for those who ask at the same time. */
class Answers {
  readonly #read: () => PublishedPools;
  readonly #clock: Clock;
  #text = '';
  #madeAt = Number.NEGATIVE_INFINITY;

  constructor(read: () => PublishedPools, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  text(): string {
    const now = this.#clock.now();
    if (now - this.#madeAt >= FRESH_MS) {
      this.#madeAt = now;
      this.#text = `${JSON.stringify(this.#read())}\n`;
    }
    return this.#text;
  }
}

/** One connection. While an answer is under way nothing more is read from it, so nothing piles up. */
class Reader {
  heardAt: number;
  readonly #socket: Socket;
  readonly #answers: Answers;
  readonly #clock: Clock;
  #asked = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(socket: Socket, answers: Answers, clock: Clock, gone: () => void) {
    this.#socket = socket;
    this.#answers = answers;
    this.#clock = clock;
    this.heardAt = clock.now();
    socket.unref();
    // Whatever happens to a reader is nothing to the application.
    socket.on('error', () => {});
    socket.on('close', gone);
    socket.on('data', (bytes) => this.#hear(bytes));
  }

  drop(): void {
    this.#socket.destroy();
  }

  #hear(bytes: Buffer): void {
    const idle = this.#asked === 0;
    this.heardAt = this.#clock.now();
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) this.#asked++;
    if (this.#asked > MOST_ASKED) this.drop();
    else if (idle && this.#asked > 0) {
      this.#socket.pause();
      this.#answerSoon();
    }
  }

  #answerSoon(): void {
    const waitMs = this.#answeredAt + FRESH_MS - this.#clock.now();
    if (waitMs <= 0) this.#answer();
    else this.#clock.setTimer(() => this.#answer(), waitMs, { background: true });
  }

  #answer(): void {
    if (this.#socket.destroyed) return;
    this.#answeredAt = this.#clock.now();
    let text: string;
    try {
      text = this.#answers.text();
    } catch {
      // A pool that cannot be read must not end the application.
      this.drop();
      return;
    }
    this.#socket.write(text, (error) => {
      if (error) return;
      this.#asked--;
      if (this.#asked > 0) this.#answerSoon();
      else this.#socket.resume();
    });
  }
}

function silentLongest(readers: ReadonlySet<Reader>): Reader {
  return [...readers].reduce((one, other) => (other.heardAt < one.heardAt ? other : one));
}

/** At the port, or at the first one above it that is free. */
async function listeningFrom(
  server: Server,
  { host, port, further = 0 }: Extract<PublishAt, { kind: 'port' }>,
): Promise<void> {
  const last = Math.min(port + further, 65_535);
  for (let next = port; ; next++) {
    try {
      await listening(server, { host, port: next, exclusive: true });
      return;
    } catch (error) {
      if (next >= last || !isTaken(error)) throw error;
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof PublishError && (error.cause as NodeJS.ErrnoException).code === 'EADDRINUSE';
}

function listening(
  server: Server,
  where: { path?: string; host?: string; port?: number; exclusive: boolean },
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve();
    });
    server.unref();
  }).catch((error: unknown) => {
    throw new PublishError(`cannot publish the pools: ${asError(error).message}`, error);
  });
}

function portOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') return String(address);
  return address.family === 'IPv6'
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`;
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is not there.
  }
}
