import { backoffMs } from '../base/backoff.js';
import type { Clock, Timer } from '../base/clock.js';
import { asError } from '../base/promises.js';
import type { Random } from '../base/random.js';
import type { SupervisorCounters } from '../snapshot/broker.js';
import { IbError } from './errors.js';
import { Handshake, type Session } from './handshake.js';
import { Heartbeat } from './heartbeat.js';
import { type Line, type Link, placeOf, type Target } from './link.js';

/** How a connection is looked after. Durations are in milliseconds. */
export interface SupervisorOptions {
  /** From dialling to nextValidId and managedAccounts. Default 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** When nothing was answered for this long, the gateway is asked for the time. Default 5,000. */
  readonly heartbeatMs?: number;
  /** How long the answer may take then; ticks and notices are none. Default 5,000. */
  readonly heartbeatTimeoutMs?: number;
  /** The wait before the first attempt to reconnect is drawn from 0 to this; doubled each time. Default 100. */
  readonly reconnectMs?: number;
  /** It is never drawn from more than this. Default 5,000. */
  readonly reconnectMostMs?: number;
  /** How many attempts the first connect has. Default 1. A client id that is taken ends it at once. */
  readonly firstAttempts?: number;
}

/** The state of a connection. */
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

/** The events that a supervisor reports to its owner. */
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
const NOBODY = 2_147_483_647;

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
  /** Until the next attempt. */
  #timer: Timer | null = null;
  #handshake: Handshake | null = null;
  readonly #heartbeat: Heartbeat;
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
    this.#heartbeat = new Heartbeat({
      clock,
      intervalMs: this.#options.heartbeatMs,
      timeoutMs: this.#options.heartbeatTimeoutMs,
      ask: (sent) => listener.heartbeat(sent),
      missed: (answeredAgoMs, heardAgoMs) => this.#missed(answeredAgoMs, heardAgoMs),
    });
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
    const dialling: ConnectionState = { kind: 'connecting', attempt, phase: 'dialling' };
    this.#enter(dialling);
    // Closed meanwhile, say.
    const isCurrent = (): boolean => this.#state === dialling;
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
    const handshake = new Handshake({
      clock: this.#clock,
      target: this.#target,
      epoch: this.#counters.ready + 1,
      loadMs,
      timeoutMs: this.#options.handshakeTimeoutMs,
      versioned: () => this.#enter({ kind: 'connecting', attempt, phase: 'handshake' }),
      ready: (session) => this.#becomeReady(session),
      failed: (cause, isFinal) => {
        if (cause.code === 'ERR_IB_CLIENT_ID_IN_USE') this.#counters.idCollisions++;
        this.#attemptFailed(cause, isFinal);
      },
      unreadable: () => this.#counters.unreadable++,
    });
    this.#handshake = handshake;
    this.#link = this.#line.open(this.#target, (said, args) => {
      // Older gateways write that number for a message that belongs to no request.
      const event = said === 'error' && Number(args[2]) === NOBODY ? 'info' : said;
      this.#heartbeat.hear(event);
      if (this.#state.kind === 'ready') this.#hear(event, args);
      else handshake.hear(event, args);
    });
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
    this.#counters.ready++;
    this.#socketError = null;
    this.#readyAt = this.#clock.now();
    this.#enter({ kind: 'ready', session, upstream: 'up' });
    if (this.#link !== null) this.#heartbeat.start(this.#link);
    this.#listener.ready(session);
    this.#settle(session, null);
  }

  #missed(answeredAgoMs: number, heardAgoMs: number): void {
    this.#counters.heartbeatsMissed++;
    const { heartbeatTimeoutMs } = this.#options;
    const what =
      heardAgoMs < answeredAgoMs
        ? `goes on to send data, but has answered nothing for ${Math.round(answeredAgoMs)} ms`
        : `has said nothing for ${Math.round(heardAgoMs)} ms`;
    const text = `the gateway at ${this.#place()} ${what}, and did not answer within ${Math.round(heartbeatTimeoutMs)} ms`;
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
    this.#handshake?.end();
    this.#heartbeat.stop();
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
