import { chmodSync, unlinkSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import { CodedError } from '../base/coded-error.js';
import { asError } from '../base/promises.js';
import { isSameSecret, newChallenge, newToken, proofOf } from '../base/token.js';
import type { App } from '../snapshot/reading.js';
import { ensureSocketFolder, type SocketOwner, socketPath } from './directory.js';
import {
  type Challenge,
  type Hello,
  type LeaseTap,
  type PublishedPools,
  RECORD,
  RECORD_END,
} from './protocol.js';
import { dropToken, keepToken, type TokenPlace } from './token-file.js';

/** The place of publication: the user's own folder, or a port of this machine. */
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
      /** Readers must know it: any user of the machine reaches a port. Default: a new random one. */
      readonly token?: string | null;
      /** The user whose readers find the token by themselves. Default: none, and readers must be given the token. */
      readonly owner?: SocketOwner;
    };

export interface PublishOptions {
  readonly app: App;
  readonly at: PublishAt;
  /** Asked only when a reader asks. */
  readonly read: () => PublishedPools;
  /** Begins to record the leases for one reader. Absent where that is not possible. */
  readonly record?: () => LeaseTap;
  readonly clock: Clock;
}

/** The published application until it is closed. It never keeps the process alive. */
export interface Published {
  /** As `poolctl top` takes it: a path, or `HOST:PORT`. */
  readonly address: string;
  /** The token that readers of a port must know. null for a socket, which only its owner can open. */
  readonly token: string | null;
  /** The file that holds the token, which only its owner can read; null where there is none. */
  readonly tokenFile: string | null;
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

/** How long a peer has to prove that it knows the token, and how much it may send until then. */
const PROOF_MS = 5000;
const MOST_PROOF_BYTES = 256;
/** More readers than that at once: the one that has been silent longest makes way. */
const MOST_READERS = 16;
/** Limit of requests in one chunk. A peer that sends more has not waited for answers and is disconnected. */
const MOST_ASKED = 64;
/** Requests are shorter; more of one is not looked at. */
const MOST_LINE = 64;
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
  const admit = (socket: Socket): void => {
    if (readers.size >= MOST_READERS) silentLongest(readers).drop();
    const reader = new Reader(socket, answers, options, () => readers.delete(reader));
    readers.add(reader);
    socket.write(`${JSON.stringify(hello)}\n`);
  };
  const token = at.kind === 'port' ? (at.token ?? newToken()) : null;
  const gate = token === null ? null : new Gate(token, options.clock, admit);
  const server = createServer((socket) => {
    // Errors of a reader do not concern the application.
    socket.unref().on('error', () => {});
    if (gate === null) admit(socket);
    else gate.challenge(socket);
  });
  // Each worker of a cluster has its own: without `exclusive`, the primary would listen for them.
  if (at.kind === 'port') await listeningFrom(server, at);
  else await listening(server, { path: path as string, exclusive: true });
  if (file !== null) chmodSync(file, 0o600);
  const tokenFile =
    token === null || at.kind !== 'port' || at.owner === undefined
      ? null
      : await keepToken(at.owner, placeOf(server), token);
  return {
    address: path ?? portOf(server),
    token,
    tokenFile,
    close() {
      server.close();
      gate?.close();
      for (const reader of [...readers]) reader.drop();
      if (file !== null) removeFile(file);
      if (tokenFile !== null && token !== null) dropToken(tokenFile, token);
    },
  };
}

/**
 * Admits peers that prove to know the token. Any user of the machine reaches a port. Until then a peer learns
 * nothing, has little time, may send little, and displaces no reader.
 */
class Gate {
  readonly #token: string;
  readonly #clock: Clock;
  readonly #admit: (socket: Socket) => void;
  readonly #waiting = new Set<Socket>();

  constructor(token: string, clock: Clock, admit: (socket: Socket) => void) {
    this.#token = token;
    this.#clock = clock;
    this.#admit = admit;
  }

  challenge(socket: Socket): void {
    const [oldest] = this.#waiting;
    if (this.#waiting.size >= MOST_READERS) oldest?.destroy();
    this.#waiting.add(socket);
    const challenge = newChallenge();
    const late = this.#clock.setTimer(() => socket.destroy(), PROOF_MS, { background: true });
    const leave = (): void => {
      late.cancel();
      this.#waiting.delete(socket);
    };
    let heard = '';
    const hear = (bytes: Buffer): void => {
      heard += bytes.subarray(0, MOST_PROOF_BYTES + 1).toString('latin1');
      const end = heard.indexOf('\n');
      if (end < 0 && heard.length <= MOST_PROOF_BYTES) return;
      socket.off('data', hear);
      const isKnown = end >= 0 && isSameSecret(heard.slice(0, end).trim(), proofOf(this.#token, challenge));
      // Data right after a proof did not wait for the answer.
      if (isKnown && end === heard.length - 1) {
        leave();
        this.#admit(socket);
      } else socket.end(`${JSON.stringify(REFUSED)}\n`);
    };
    socket.on('close', leave).on('data', hear);
    socket.write(`${JSON.stringify({ schema: 1, challenge } satisfies Challenge)}\n`);
  }

  close(): void {
    for (const socket of [...this.#waiting]) socket.destroy();
  }
}

const REFUSED = { schema: 1, refused: true };

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
  readonly #record: () => LeaseTap | null;
  #tap: LeaseTap | null = null;
  /** The start of a line whose end has not come. */
  #line = '';
  #asked = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(
    socket: Socket,
    answers: Answers,
    { clock, record }: Pick<PublishOptions, 'clock' | 'record'>,
    gone: () => void,
  ) {
    this.#socket = socket;
    this.#answers = answers;
    this.#clock = clock;
    this.#record = () => record?.() ?? null;
    this.heardAt = clock.now();
    socket.on('close', () => {
      this.#tap?.end();
      gone();
    });
    socket.on('data', (bytes) => this.#hear(bytes));
  }

  drop(): void {
    this.#socket.destroy();
  }

  #hear(bytes: Buffer): void {
    const idle = this.#asked === 0;
    this.heardAt = this.#clock.now();
    const lines = `${this.#line}${bytes.toString('latin1')}`.split('\n');
    this.#line = (lines.pop() ?? '').slice(0, MOST_LINE);
    this.#asked += lines.length;
    if (this.#tap === null && lines.includes(RECORD)) this.#tap = this.#record();
    if (lines.includes(RECORD_END)) this.#tap?.finish();
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
      text = withRecording(this.#answers.text(), this.#tap);
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

/** In the text as it is: many readers get the same one. */
function withRecording(text: string, tap: LeaseTap | null): string {
  return tap === null ? text : `${text.slice(0, -2)},"recording":${JSON.stringify(tap.take())}}\n`;
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
  const { host, port } = placeOf(server);
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function placeOf(server: Server): TokenPlace {
  const { address, port } = server.address() as AddressInfo;
  return { host: address, port };
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is not there.
  }
}
