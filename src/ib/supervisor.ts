import { backoffMs } from '../base/backoff.js';
import type { Clock, Timer } from '../base/clock.js';
import { asError } from '../base/promises.js';
import type { Random } from '../base/random.js';
import type { SupervisorCounters } from '../snapshot/broker.js';
import { IbError } from './errors.js';
import { type Line, type Link, placeOf, type Target } from './link.js';

/** How a connection is looked after. Durations are in milliseconds. */
export interface SupervisorOptions {
  /** From dialling to nextValidId and managedAccounts. Default 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** When nothing was heard for this long, the gateway is asked for the time. Default 5,000. */
  readonly heartbeatMs?: number;
  /** How long it may take to say anything then. Default 5,000. */
  readonly heartbeatTimeoutMs?: number;
  /** The wait before the first attempt to reconnect is drawn from 0 to this; doubled each time. Default 100. */
  readonly reconnectMs?: number;
  /** It is never drawn from more than this. Default 5,000. */
  readonly reconnectMostMs?: number;
  /** How many attempts the first connect has. Default 1. A client id that is taken ends it at once. */
  readonly firstAttempts?: number;
}

/** Where a connection is in its life. */
export type ConnectionState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly attempt: number; readonly phase: 'dialling' | 'handshake' }
  | { readonly kind: 'ready'; readonly session: Session; readonly upstream: 'up' | 'down' }
  | {
      readonly kind: 'waiting';
      readonly attempt: number;
      readonly retryInMs: number;
      readonly cause: IbError;
    }
  | { readonly kind: 'failed'; readonly cause: IbError }
  | { readonly kind: 'closed' };

/** What the gateway said when the connection became ready. */
export interface Session {
  /** 1 for the first, one more for each reconnect. */
  readonly epoch: number;
  readonly serverVersion: number;
  readonly accounts: readonly string[];
  readonly nextOrderId: number;
  /**
   * `load` is what it took to have the library, and the thread if there is one, ready. From dialling on: until the port
   * answered, until the version was there, until it was ready. null: not seen.
   */
  readonly phasesMs: {
    readonly load: number;
    readonly tcp: number | null;
    readonly version: number | null;
    readonly ready: number;
  };
}

/** What a supervisor tells its owner. */
export interface SupervisorListener {
  state(state: ConnectionState): void;
  /** A new session: whatever was asked of the last one is void. */
  ready(session: Session): void;
  /** The session is over; null where it was closed on purpose. */
  lost(cause: IbError): void;
  /** Anything that the gateway says while the connection is ready, notices included. */
  event(event: string, args: readonly unknown[]): void;
  /** 1101 and 1102: the gateway has found back to IB's servers. */
  restored(dataLost: boolean): void;
  /** Calls back when a connection may be opened: START_API counts as a message, and 32 may be dropped at once. */
  admit(open: () => void): void;
  /** Sends a request for the time, which must not wait behind others. `sent` is called when it is on its way. */
  heartbeat(sent: () => void): void;
}

/** A session that lasted this long shows that the gateway is well: the next backoff begins anew. */
const GOOD_SESSION_MS = 1000;
/** A thread that does not come back to its loop for so long is taken for dead, however much it has to decode. */
const LONGEST_STALL_MS = 120_000;
/** Where gateways listen unless told otherwise: the advice where none was found. */
export const PORTS = 'TWS listens at 7496 (live) and 7497 (paper), IB Gateway at 4001 and 4002';

/**
 * Keeps one connection, with one client id, to one gateway. Each attempt has a fresh link; nothing but nextValidId
 * and managedAccounts makes it ready; it is over as soon as the heartbeat's deadline has passed, whatever the socket
 * says. Farm flaps (2103, 2104, 2106) and the gateway's own trouble with IB (1100) never tear it down.
 */
export class Supervisor {
  readonly #line: Line;
  readonly #listener: SupervisorListener;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: Required<SupervisorOptions>;
  readonly #counters = {
    attempts: 0,
    ready: 0,
    lost: 0,
    heartbeatsMissed: 0,
    idCollisions: 0,
    upstreamLost: 0,
    unreadable: 0,
  };
  #target: Target;
  #state: ConnectionState = { kind: 'idle' };
  #link: Link | null = null;
  /** Attempts since the last good session. */
  #attempt = 0;
  #timer: Timer | null = null;
  #heartbeat: Timer | null = null;
  #heardAt = 0;
  #readyAt = 0;
  /** The last error of the socket, which says why it closed. */
  #socketError: string | null = null;
  #waiting: { resolve: (session: Session) => void; reject: (error: IbError) => void }[] = [];
  #ended: Promise<void> | null = null;

  constructor(
    target: Target,
    {
      line,
      listener,
      clock,
      random,
      ...options
    }: SupervisorOptions & {
      readonly line: Line;
      readonly listener: SupervisorListener;
      readonly clock: Clock;
      readonly random: Random;
    },
  ) {
    this.#target = target;
    this.#line = line;
    this.#listener = listener;
    this.#clock = clock;
    this.#random = random;
    this.#options = {
      handshakeTimeoutMs: 10_000,
      heartbeatMs: 5000,
      heartbeatTimeoutMs: 5000,
      reconnectMs: 100,
      reconnectMostMs: 5000,
      firstAttempts: 1,
      ...options,
    };
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get counters(): SupervisorCounters {
    return { ...this.#counters };
  }

  /** The port may move (1300). */
  get target(): Target {
    return this.#target;
  }

  /** Resolves when the connection is ready, now or later. The first call dials. Rejects when it has failed or is closed. */
  ready(): Promise<Session> {
    switch (this.#state.kind) {
      case 'ready':
        return Promise.resolve(this.#state.session);
      case 'failed':
        return Promise.reject(this.#state.cause);
      case 'closed':
        return Promise.reject(closedError());
      case 'idle':
      case 'connecting':
      case 'waiting':
        return new Promise((resolve, reject) => {
          this.#waiting.push({ resolve, reject });
          if (this.#state.kind === 'idle') this.#dial();
        });
    }
  }

  /** Sends a message over the session that is ready; nothing goes out while there is none. */
  call(method: string, args: readonly unknown[]): void | Promise<void> {
    if (this.#state.kind === 'ready') return this.#link?.call(method, args);
  }

  /** Resolves when nothing is left of it. */
  close(): Promise<void> {
    if (this.#ended === null) {
      const wasReady = this.#state.kind === 'ready';
      this.#dropLink();
      this.#enter({ kind: 'closed' });
      if (wasReady) this.#listener.lost(closedError());
      this.#settle(null, closedError());
      this.#ended = this.#line.end();
    }
    return this.#ended;
  }

  #dial(): void {
    this.#attempt++;
    this.#counters.attempts++;
    const attempt = this.#attempt;
    this.#socketError = null;
    this.#enter({ kind: 'connecting', attempt, phase: 'dialling' });
    const isCurrent = (): boolean => this.#state.kind === 'connecting' && this.#state.attempt === attempt;
    const since = this.#clock.now();
    this.#line.prepare().then(
      () => {
        if (!isCurrent()) return;
        const loadMs = this.#clock.now() - since;
        this.#listener.admit(() => {
          if (isCurrent()) this.#open(attempt, loadMs);
        });
      },
      (error: unknown) => {
        if (!isCurrent()) return;
        const cause =
          error instanceof IbError ? error : new IbError('ERR_IB_CONNECT', asError(error).message);
        this.#attemptFailed(cause, cause.code === 'ERR_IB_PACKAGE');
      },
    );
  }

  #open(attempt: number, loadMs: number): void {
    const { handshakeTimeoutMs } = this.#options;
    const dialledAt = this.#clock.now();
    const phases: { tcp: number | null; version: number | null } = { tcp: null, version: null };
    const heard: { serverVersion: number; accounts?: readonly string[]; nextOrderId?: number } = {
      serverVersion: 0,
    };
    const since = (): number => this.#clock.now() - dialledAt;
    this.#timer = this.#clock.setTimer(() => {
      const at = `${this.#place()} within ${Math.round(handshakeTimeoutMs)} ms`;
      const text =
        phases.tcp === null
          ? `nobody answered at ${at}`
          : phases.version === null
            ? `the port answered, but no gateway said its version at ${at}`
            : `the gateway said its version, but was not ready at ${at}`;
      // While its login is not complete (2FA, restart), a gateway accepts connections and says nothing.
      const hint = 'look whether the gateway waits for a login or a confirmation on its screen';
      this.#attemptFailed(new IbError('ERR_IB_HANDSHAKE', text, { hint }), false);
    }, handshakeTimeoutMs);
    this.#link = this.#line.open(this.#target, (event, args) => {
      this.#heardAt = this.#clock.now();
      if (this.#state.kind === 'ready') {
        this.#hear(event, args);
        return;
      }
      switch (event) {
        case 'tcp':
          phases.tcp = since();
          return;
        case 'server':
          phases.version = since();
          heard.serverVersion = Number(args[0]);
          if (!Number.isSafeInteger(heard.serverVersion)) {
            // The library takes what is no number for a version that it knows.
            this.#hearEarly('broken', ['its first message is not a version', true]);
            return;
          }
          this.#enter({ kind: 'connecting', attempt, phase: 'handshake' });
          return;
        case 'managedAccounts':
          heard.accounts = String(args[0]).split(',').filter(Boolean);
          break;
        case 'nextValidId':
          heard.nextOrderId = Number(args[0]);
          break;
        default:
          this.#hearEarly(event, args);
          return;
      }
      // Either may come first. What is sent before both are there may be dropped by the gateway.
      const { serverVersion, accounts, nextOrderId } = heard;
      if (accounts === undefined || nextOrderId === undefined) return;
      this.#becomeReady({
        epoch: this.#counters.ready + 1,
        serverVersion,
        accounts,
        nextOrderId,
        phasesMs: { load: loadMs, ...phases, ready: since() },
      });
    });
  }

  /** What goes wrong before the connection is ready. */
  #hearEarly(event: string, args: readonly unknown[]): void {
    const place = this.#place();
    const fail = (error: IbError, isFinal = false): void => this.#attemptFailed(error, isFinal);
    switch (event) {
      case 'info':
        // Everything that has the id -1 comes as info, this error included.
        if (Number(args[1]) === 326) {
          this.#counters.idCollisions++;
          fail(
            new IbError(
              'ERR_IB_CLIENT_ID_IN_USE',
              `client id ${this.#target.clientId} is in use at ${place}`,
              {
                ibCode: 326,
                hint: 'each connection to a gateway needs a client id of its own: choose another base',
              },
            ),
            true,
          );
        }
        return;
      case 'error': {
        const code = Number(args[1]);
        if (code === 506 || code === 503) {
          const text = `the gateway at ${place} speaks another version: ${args[0]}`;
          const hint = '@stoqey/ib 1.6.10 speaks versions 100 to 193; from 201 on messages are protobuf';
          fail(new IbError('ERR_IB_VERSION', text, { ibCode: code, hint }), true);
        } else if (code === 505) this.#counters.unreadable++;
        else this.#socketError = String(args[0]);
        return;
      }
      case 'broken':
        fail(
          args[1] === true
            ? new IbError('ERR_IB_NOT_A_GATEWAY', `no gateway listens at ${place}: ${args[0]}`, {
                hint: PORTS,
              })
            : new IbError('ERR_IB_CONNECT', `the connection to ${place} is of no use: ${args[0]}`),
        );
        return;
      case 'disconnected':
        fail(
          new IbError(
            'ERR_IB_CONNECT',
            this.#socketError === null
              ? `the gateway at ${place} hung up before it was ready`
              : `cannot connect to ${place}: ${this.#socketError}`,
            {
              hint:
                this.#socketError === null
                  ? // A gateway that is full accepts and hangs up.
                    'a gateway serves 32 clients at once'
                  : `start the gateway and enable its API; ${PORTS}`,
            },
          ),
        );
        return;
      default:
        return;
    }
  }

  #hear(event: string, args: readonly unknown[]): void {
    switch (event) {
      case 'disconnected':
        this.#lose(
          new IbError(
            'ERR_IB_CONNECTION_LOST',
            `the connection to ${this.#place()} was closed${this.#socketError === null ? '' : `: ${this.#socketError}`}`,
          ),
        );
        return;
      case 'broken':
        this.#lose(
          new IbError(
            'ERR_IB_CONNECTION_LOST',
            `the connection to ${this.#place()} is of no use: ${args[0]}`,
          ),
        );
        return;
      case 'error':
        // 502 is what the library makes of every error of the socket; that it closed comes next.
        if (Number(args[1]) === 502) this.#socketError = String(args[0]);
        if (Number(args[1]) === 505) this.#counters.unreadable++;
        break;
      case 'info':
        this.#notice(Number(args[1]), String(args[0]));
        break;
    }
    this.#listener.event(event, args);
  }

  #notice(code: number, text: string): void {
    switch (code) {
      case 1100:
      case 2110:
        this.#counters.upstreamLost++;
        this.#setUpstream('down');
        return;
      case 1101:
      case 1102:
        this.#setUpstream('up');
        this.#listener.restored(code === 1101);
        return;
      case 1300: {
        // The gateway was given another port and is about to hang up; its text ends with the new one.
        const port = Number(/(\d{2,5})\D*$/.exec(text)?.[1]);
        if (port > 0 && port < 65_536) this.#target = { ...this.#target, port };
        return;
      }
    }
  }

  #setUpstream(upstream: 'up' | 'down'): void {
    if (this.#state.kind === 'ready' && this.#state.upstream !== upstream) {
      this.#enter({ ...this.#state, upstream });
    }
  }

  #becomeReady(session: Session): void {
    this.#timer?.cancel();
    this.#counters.ready++;
    this.#readyAt = this.#clock.now();
    this.#enter({ kind: 'ready', session, upstream: 'up' });
    this.#watch();
    this.#listener.ready(session);
    this.#settle(session, null);
  }

  /** Waits until nothing has been heard for the interval, then asks. */
  #watch(): void {
    const { heartbeatMs } = this.#options;
    const silentMs = this.#clock.now() - this.#heardAt;
    this.#heartbeat = this.#clock.setTimer(() => {
      if (this.#clock.now() - this.#heardAt < heartbeatMs) this.#watch();
      else this.#ask();
    }, heartbeatMs - silentMs);
  }

  #ask(): void {
    const link = this.#link;
    const { heartbeatTimeoutMs } = this.#options;
    this.#listener.heartbeat(() => {
      if (this.#link !== link || link === null) return;
      const askedAt = this.#clock.now();
      const isAnswered = (): boolean => this.#heardAt >= askedAt;
      const wait = (forMs: number): void => {
        const dueAt = this.#clock.now() + forMs;
        this.#heartbeat = this.#clock.setTimer(() => {
          if (this.#link !== link) return;
          if (isAnswered()) {
            this.#watch();
            return;
          }
          const lateMs = this.#clock.now() - dueAt;
          // The answer may be here and unread, if it is this process that stood still: its loop, or that of the
          // thread which decodes. So look once more when all that has arrived was heard.
          this.#heartbeat = this.#clock.setTimer(
            () => this.#missed(link, heartbeatTimeoutMs),
            LONGEST_STALL_MS,
          );
          link.afterArrived(() => {
            if (this.#link !== link) return;
            this.#heartbeat?.cancel();
            if (isAnswered()) this.#watch();
            // While it stood still, the gateway had no chance: it gets that time again, once.
            else if (lateMs > heartbeatTimeoutMs / 2 && forMs === heartbeatTimeoutMs) {
              wait(Math.min(lateMs, heartbeatTimeoutMs - 1));
            } else this.#missed(link, heartbeatTimeoutMs);
          });
        }, forMs);
      };
      wait(heartbeatTimeoutMs);
    });
  }

  #missed(link: Link, timeoutMs: number): void {
    if (this.#link !== link) return;
    this.#counters.heartbeatsMissed++;
    const text = `the gateway at ${this.#place()} has said nothing for ${Math.round(this.#clock.now() - this.#heardAt)} ms, and did not answer within ${Math.round(timeoutMs)} ms`;
    this.#lose(new IbError('ERR_IB_CONNECTION_LOST', text));
  }

  #lose(cause: IbError): void {
    this.#counters.lost++;
    if (this.#clock.now() - this.#readyAt >= GOOD_SESSION_MS) this.#attempt = 0;
    this.#dropLink();
    this.#backOff(cause);
    this.#listener.lost(cause);
  }

  #attemptFailed(cause: IbError, isFinal: boolean): void {
    this.#dropLink();
    const isFirst = this.#counters.ready === 0;
    // At a reconnect the holder of our id is most likely our own old connection, of which the gateway does not
    // know yet that it is gone; and a version may be that of a gateway about to be replaced.
    if (isFirst && (isFinal || this.#attempt >= this.#options.firstAttempts)) {
      this.#enter({ kind: 'failed', cause });
      this.#settle(null, cause);
    } else this.#backOff(cause);
  }

  #backOff(cause: IbError): void {
    const { reconnectMs: baseMs, reconnectMostMs: capMs } = this.#options;
    const retryInMs = backoffMs(this.#attempt, { baseMs, capMs }, this.#random);
    this.#enter({ kind: 'waiting', attempt: this.#attempt, retryInMs, cause });
    this.#timer = this.#clock.setTimer(() => this.#dial(), retryInMs);
  }

  #dropLink(): void {
    this.#timer?.cancel();
    this.#heartbeat?.cancel();
    this.#link?.close();
    this.#link = null;
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#listener.state(state);
  }

  #settle(session: Session | null, error: IbError | null): void {
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (session !== null) resolve(session);
      else reject(error ?? closedError());
    }
  }

  #place(): string {
    return placeOf(this.#target);
  }
}

function closedError(): IbError {
  return new IbError('ERR_IB_CLOSED', 'the connection was closed');
}
