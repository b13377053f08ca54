import { connect } from 'node:net';
import { onAbort } from '../base/abort.js';
import { type Clock, systemClock } from '../base/clock.js';
import { asError, ignore } from '../base/promises.js';
import { IbConnection } from './connection.js';
import { IbError } from './errors.js';
import { PORTS, type Session } from './handshake.js';
import { type Line, placeOf, type Target } from './link.js';

export interface PingOptions {
  /** For the handshake, and again for the answer to a request, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly line?: Line;
  readonly clock?: Clock;
}

/** The outcome of one attempt to use a gateway. */
export type Ping =
  | {
      readonly kind: 'answered';
      readonly serverVersion: number;
      readonly accounts: readonly string[];
      readonly phasesMs: Session['phasesMs'];
      /** The shorter of two requests for the time, in milliseconds: the first also pays for what is loaded late. */
      readonly roundTripMs: number;
      /** Whether the gateway has its own connection to IB; while it has none, hardly anything can be asked. */
      readonly upstream: 'up' | 'down';
    }
  /** The error's code says why: nobody, something else, another version, a client id in use, no answer. */
  | { readonly kind: 'failed'; readonly error: IbError };

/**
 * Connects to a gateway as a pool would, asks it for the time, and hangs up. Rejects with the signal's reason, and with
 * ERR_IB_PACKAGE where the client library is not installed, which says nothing of the gateway.
 */
export async function pingGateway(target: Target, options: PingOptions = {}): Promise<Ping> {
  const { timeoutMs = 10_000, signal, line, clock = systemClock } = options;
  signal?.throwIfAborted();
  const over = new AbortController();
  const connection = new IbConnection(target, {
    clock,
    handshakeTimeoutMs: timeoutMs,
    ...(line === undefined ? {} : { line }),
    // A pool would connect anew; here that it is lost is the answer.
    onState: (state) => {
      if (state.kind === 'waiting') over.abort(state.cause);
    },
  });
  const stopWatching =
    signal === undefined ? ignore : onAbort(signal, () => void connection.close().catch(ignore));
  try {
    const { serverVersion, accounts, phasesMs } = await connection.ready();
    const roundTrip = async (): Promise<number> => {
      const since = clock.now();
      await connection.currentTime({ timeoutMs, signal: over.signal });
      return clock.now() - since;
    };
    const roundTripMs = Math.min(await roundTrip(), await roundTrip());
    const { state } = connection;
    const upstream = state.kind === 'ready' ? state.upstream : 'down';
    return { kind: 'answered', serverVersion, accounts, phasesMs, roundTripMs, upstream };
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof IbError)) throw asError(error);
    if (error.code === 'ERR_IB_PACKAGE') throw error;
    return {
      kind: 'failed',
      error: (await notGateway(error, target, clock)) ?? inOwnWords(error, target, timeoutMs),
    };
  } finally {
    stopWatching();
    await connection.close();
  }
}

/** How long an HTTP server may take to say that it is one. */
const HTTP_MS = 1000;

/** Many HTTP servers wait for the end of a line, which the greeting of a broker's client has not. */
async function notGateway(error: IbError, target: Target, clock: Clock): Promise<IbError | null> {
  if (error.code !== 'ERR_IB_HANDSHAKE') return null;
  const socket = connect({ host: target.host, port: target.port });
  const said = await new Promise<string>((resolve) => {
    const timer = clock.setTimer(() => resolve(''), HTTP_MS);
    socket.on('error', ignore);
    socket.on('close', () => resolve(''));
    socket.once('data', (bytes) => resolve(bytes.toString('latin1').split(/[\r\n]/, 1)[0] ?? ''));
    socket.once('close', () => timer.cancel());
    socket.write('HEAD / HTTP/1.0\r\n\r\n');
  });
  socket.destroy();
  if (!said.startsWith('HTTP/')) return null;
  return new IbError(
    'ERR_IB_NOT_A_GATEWAY',
    `no gateway listens at ${placeOf(target)}: it says '${said.slice(0, 60)}'`,
    {
      cause: error,
      hint: PORTS,
    },
  );
}

/** One that is ready and then says nothing: some gateways do so until they are restarted. */
function inOwnWords(error: IbError, target: Target, timeoutMs: number): IbError {
  if (error.code !== 'ERR_IB_TIMEOUT') return error;
  const text = `the gateway at ${placeOf(target)} was ready, and did not answer a request within ${Math.round(timeoutMs)} ms`;
  return new IbError(error.code, text, { cause: error, hint: 'restart the gateway' });
}
