import { connect, type Socket } from 'node:net';
import { onAbort } from '../base/abort.js';
import type { Clock } from '../base/clock.js';
import { withoutSystemWords } from '../base/file-fault.js';
import { asError, ignore } from '../base/promises.js';
import { registerSecret } from '../base/secrets.js';
import { parseToken, proofOf } from '../base/token.js';
import { type Fields, isObject } from '../snapshot/bounds.js';
import type { AppReading, Reading } from '../snapshot/reading.js';
import { RECORD, RECORD_END } from '../watch/protocol.js';
import { keptToken } from '../watch/token-file.js';
import { addressError, SourceError } from './errors.js';
import { type LeaseSink, sinkLeases } from './lease-sink.js';
import { malformed, toApp, toReading } from './published.js';
import type { SourceOptions, StatsSource } from './types.js';

/** The address of a published application: a Unix socket or named pipe, or a port. */
export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** More than pools with thousands of leases need; what sends on and on is not an application. */
const MOST_LENGTH = 32_000_000;
/** Time for the last answer of an application that records. */
const LAST_ANSWER_MS = 1000;

/** The receiver of leases, and the name of the recording that comes over this connection. */
interface Leases {
  readonly sink: LeaseSink;
  readonly recording: string;
}

/** Hello, and one answer. */
const MOST_LINES = 2;

/** `pool:PATH`, `pool:HOST:PORT`. */
export function openPoolSource(address: string, options: SourceOptions): StatsSource {
  const place = address.slice('pool:'.length);
  const [, host, port = ''] = /^(\[[^\]]+\]|[^/\\:]+):(\d+)$/.exec(place) ?? [];
  if (host !== undefined) {
    if (Number(port) < 1 || Number(port) > 65_535)
      throw addressError(address, 'the port must be a number from 1 to 65535', FORMS);
    return poolSource(address, { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }, options);
  }
  if (!/[/\\]/.test(place)) throw addressError(address, 'that is neither a path nor HOST:PORT', FORMS);
  return poolSource(address, { path: place }, options);
}

const FORMS = 'write pool:/path/to/the.sock or pool:127.0.0.1:9100';

/** The pools of one published application, whose connection is kept from reading to reading. */
function poolSource(label: string, address: SocketAddress, options: SourceOptions): StatsSource {
  const { clock } = options;
  const token = async (): Promise<string | null> => {
    const { POOLCTL_TOKEN: given } = options.env;
    if (given) return tokenGiven(given);
    if (options.owner === undefined || 'path' in address) return null;
    return keptToken(options.owner, address);
  };
  let line: Line | null = null;
  let connections = 0;
  const leases = options.leases === undefined ? null : { sink: options.leases, recording: '' };
  const hangUp = (): void => {
    line?.close();
    line = null;
  };
  return {
    label,
    kind: 'pool',
    async read(signal) {
      const connected = async (): Promise<Line> => {
        const opened = await Line.open(address, token, signal);
        connections++;
        if (leases !== null) leases.recording = connections === 1 ? label : `${label} #${connections}`;
        return opened;
      };
      try {
        signal.throwIfAborted();
        // It may have been started anew since: that is no failed reading.
        if (line?.isOver) hangUp();
        const wasOpen = line !== null;
        line ??= await connected();
        try {
          return await line.ask(label, clock, leases, signal);
        } catch (error) {
          if (!wasOpen || !line.isOver || signal.aborted) throw error;
          // Whether it has ended, or only this connection: a new one tells at once.
          line = await connected();
          return await line.ask(label, clock, leases, signal);
        }
      } catch (error) {
        // An answer that is still to come would be taken for the next one.
        hangUp();
        throw signal.aborted ? asError(signal.reason) : asUnreachable(error, address);
      }
    },
    async [Symbol.asyncDispose]() {
      // The leases since the last reading.
      if (leases !== null && line?.isOver === false) await line.endRecording(leases).catch(ignore);
      hangUp();
    },
  };
}

/** A connection on which each line sent is answered by one. */
class Line {
  readonly #socket: Socket;
  readonly #address: SocketAddress;
  #app: AppReading | null = null;
  /** Whole ones that nobody has taken yet, and the pieces of the next. */
  readonly #lines: string[] = [];
  #pieces: string[] = [];
  #length = 0;
  #ended: Error | null = null;
  #wake: () => void = () => {};

  static async open(
    address: SocketAddress,
    tokenOf: () => Promise<string | null>,
    signal: AbortSignal,
  ): Promise<Line> {
    const line = new Line(address);
    try {
      let greeting = await line.#next(signal);
      const challenge = challengeIn(greeting);
      if (challenge !== null) {
        const token = await tokenOf();
        if (token === null) throw tokenError(address, 'needs a token');
        registerSecret(token);
        line.#socket.write(`${proofOf(token, challenge)}\n`);
        greeting = await line.#next(signal);
        if (isRefusal(greeting)) throw tokenError(address, 'does not accept this token');
      }
      line.#app = toApp(greeting);
      return line;
    } catch (error) {
      line.close();
      throw error;
    }
  }

  private constructor(address: SocketAddress) {
    this.#address = address;
    this.#socket = connect(address).setEncoding('utf8');
    this.#socket.on('data', (text: string) => this.#add(text));
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('close', () => this.#end(new Error('it has hung up')));
  }

  get isOver(): boolean {
    return this.#ended !== null;
  }

  async ask(label: string, clock: Clock, leases: Leases | null, signal: AbortSignal): Promise<Reading> {
    // Else all later answers would be those to the questions before.
    if (this.#lines.length > 0) throw malformed('it speaks unasked');
    this.#socket.ref();
    this.#socket.write(`${leases === null ? 'read' : RECORD}\n`);
    const answer = await this.#next(signal);
    // Between two readings it keeps nobody's process alive.
    this.#socket.unref();
    if (this.#app === null) throw malformed('it has not said hello');
    if (leases !== null) sinkLeases(answer, leases.recording, this.#app, leases.sink);
    return toReading(answer, this.#app, label, clock.wallTime());
  }

  /** Takes what is left of the recording, and ends it. */
  async endRecording({ sink, recording }: Leases): Promise<void> {
    this.#socket.ref();
    this.#socket.write(`${RECORD_END}\n`);
    const answer = await this.#next(AbortSignal.timeout(LAST_ANSWER_MS));
    if (this.#app !== null) sinkLeases(answer, recording, this.#app, sink);
  }

  close(): void {
    this.#socket.destroy();
  }

  #end(cause: Error): void {
    this.#ended ??= asUnreachable(cause, this.#address);
    this.#pieces = [];
    this.#socket.destroy();
    this.#wake();
  }

  #add(text: string): void {
    // Each piece is looked at once: to search all that has come, again and again, would take the square of its length.
    const [first = '', ...rest] = text.split('\n');
    this.#pieces.push(first);
    this.#length += text.length;
    for (const piece of rest) {
      this.#lines.push(this.#pieces.join(''));
      this.#pieces = [piece];
      this.#length = piece.length;
    }
    if (this.#length > MOST_LENGTH || this.#lines.length > MOST_LINES)
      this.#end(malformed('it does not stop sending'));
    else if (this.#lines.length > 0) this.#wake();
  }

  #next(signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const line = this.#lines.shift() ?? null;
        if (line === null && this.#ended === null && !signal.aborted) return;
        this.#wake = () => {};
        stopWatching();
        if (signal.aborted) reject(asError(signal.reason));
        else if (line !== null) resolve(line);
        else reject(asError(this.#ended));
      };
      const stopWatching = onAbort(signal, look);
      this.#wake = look;
      look();
    });
  }
}

/** The challenge of the application that must be signed; null if it says hello at once. */
function challengeIn(line: string): string | null {
  const { challenge } = fieldsOf(line);
  return typeof challenge === 'string' ? challenge.slice(0, 200) : null;
}

function isRefusal(line: string): boolean {
  return fieldsOf(line).refused === true;
}

/** Empty if the line is no object. The reader of a greeting says what is wrong with it. */
function fieldsOf(line: string): Fields {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function tokenGiven(text: string): string {
  try {
    return parseToken(text);
  } catch (error) {
    throw new SourceError('ERR_SOURCE_TOKEN', `POOLCTL_TOKEN: ${asError(error).message}`);
  }
}

function tokenError(address: SocketAddress, what: string): SourceError {
  const hint = 'set POOLCTL_TOKEN to the token of the application; its own user needs none';
  return new SourceError('ERR_SOURCE_TOKEN', `the application at ${placeOf(address)} ${what}`, { hint });
}

function placeOf(address: SocketAddress): string {
  return 'path' in address ? address.path : `${address.host}:${address.port}`;
}

function asUnreachable(error: unknown, address: SocketAddress): Error {
  if (error instanceof SourceError) return error;
  const cause = asError(error);
  const code = 'code' in cause ? String(cause.code) : '';
  const hint = HINTS[code];
  // A process that ends takes its socket with it; at a port another one may listen later.
  const hasEnded = 'path' in address && GONE.has(code);
  return new SourceError(
    'ERR_SOURCE_UNREACHABLE',
    withoutSystemWords(`cannot read pools at ${placeOf(address)}: ${cause.message || code}`),
    {
      cause,
      hasEnded,
      ...(hint === undefined ? {} : { hint }),
    },
  );
}

/** The system's errors where nobody has the socket open any more. */
const GONE: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOENT']);

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the application has ended, or does not publish there',
  ENOENT: 'there is no such socket: start the application with poolctl run',
  ENOTSOCK: 'that is no socket',
  EACCES: 'it belongs to another user',
};
