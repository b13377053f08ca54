import type { Timer } from '../base/clock.js';
import { asError } from '../base/promises.js';
import type { SocketBudgets } from './budgets.js';
import { FeedError } from './errors.js';
import type { LossCause } from './events.js';
import { Heartbeat } from './heartbeat.js';
import type { FeedSettings } from './options.js';
import type { Requests } from './requests.js';
import { judgeSequence } from './sequence.js';
import type { FeedSocket, SocketEnd, SocketListener } from './socket.js';
import { unpacked } from './unpack.js';
import type {
  Dial,
  Ending,
  FailureKind,
  FeedSession,
  Heartbeat as HeartbeatRule,
  Outgoing,
  Position,
  Refusal,
  Seq,
  SessionOut,
  Target,
} from './venue.js';

/** The interface of a socket to its connection. */
export interface LineOwner {
  readonly settings: FeedSettings;
  readonly budgets: SocketBudgets;
  readonly topics: ReadonlySet<string>;
  requestsFor(session: FeedSession): Requests;
  /** The socket is open, and the login done. */
  ready(line: Line): void;
  message(bytes: number): void;
  tick(line: Line, symbol: string, data: unknown, at: Position | undefined): void;
  notUnderstood(error: Error): void;
  leaving(withinMs: number | null): void;
  hole(symbols: readonly string[] | null, detail: string): void;
  /** Messages of the whole connection are missing. */
  lineHole(expected: Seq, got: Seq): void;
  market(segment: string, open: boolean): void;
  ended(line: Line, ending: Ending, ours: OurEnd | null): void;
}

/** Why we ended a socket ourselves. */
export interface OurEnd {
  readonly cause: LossCause;
  readonly error: FeedError;
}

export interface LineContext extends Omit<Dial, 'signal'> {
  readonly epoch: number;
}

/** A server that has said why it ends is given so long to do it. */
const FAILED_MS = 300;
const LOGIN_MS = 10_000;
/** A peer that does not answer our goodbye is left without an answer: `ws` alone would wait for 30 s. */
const GOODBYE_MS = 2000;

/**
 * One socket, from its dial to its end: target, login, heartbeat, and what the venue's session says. All that is known of
 * the socket ends with it, so nothing of an old one is ever heard.
 */
export class Line {
  readonly epoch: number;
  readonly lane: string;
  readonly #owner: LineOwner;
  readonly #context: LineContext;
  readonly #startedAt: number;
  readonly #signal = new AbortController();
  #phase: Ending['phase'] | 'over' = 'dial';
  #socket: FeedSocket | null = null;
  #session: FeedSession | null = null;
  #out: SessionOut | null = null;
  #requests: Requests | null = null;
  #heartbeat: Heartbeat | null = null;
  /** Deadline of the dial, of the login, of a goodbye, or of a server that said that it ends. */
  #deadline: Timer | null = null;
  #ours: OurEnd | null = null;
  #failure: Ending['failure'] = null;
  #openedAt: number | null = null;
  #target: Target | null = null;
  #origin: string;
  #seq: Seq | null = null;

  constructor(owner: LineOwner, context: LineContext) {
    this.#owner = owner;
    this.#context = context;
    this.epoch = context.epoch;
    this.lane = context.lane;
    this.#startedAt = owner.settings.clock.now();
    this.#origin = owner.settings.origin;
    void this.#dial();
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  get requests(): Requests | null {
    return this.#requests;
  }

  /** From the dial on. */
  get tookMs(): number {
    return this.#owner.settings.clock.now() - this.#startedAt;
  }

  get rttMs(): number | null {
    return this.#heartbeat?.rttMs ?? null;
  }

  get origin(): string {
    return this.#origin;
  }

  /** Aborts when the socket ends. */
  get signal(): AbortSignal {
    return this.#signal.signal;
  }

  get expiresInMs(): number | null {
    return this.#target?.expiresInMs ?? null;
  }

  /** Sends at once, and notes it in the budgets. */
  send(frames: readonly Outgoing[], isRequest = false): void {
    if (this.#socket === null || this.#phase === 'dial' || this.#phase === 'over') return;
    const now = this.#owner.settings.clock.now();
    if (isRequest) this.#owner.budgets.noteRequest(now);
    for (const frame of frames) {
      this.#owner.budgets.noteFrame(now);
      this.#socket.send(frame);
    }
  }

  /** Ends the socket; the owner hears `ended`. Never by a goodbye: a half-open peer would be waited for. */
  replace(cause: LossCause, message: string): void {
    this.#end({ cause, error: new FeedError('ERR_FEED_LOST', message) });
  }

  /** Says goodbye; the owner hears `ended`. */
  goodbye(ours: OurEnd | null = null): void {
    if (this.#socket === null || this.#phase === 'over') return;
    this.#ours ??= ours;
    this.#heartbeat?.stop();
    const socket = this.#socket;
    socket.close();
    this.#setDeadline(() => socket.terminate(), GOODBYE_MS);
  }

  /** Ends the socket, if there is one yet. The owner hears nothing more of it. */
  drop(): void {
    const socket = this.#socket;
    this.#close();
    socket?.terminate();
  }

  async #dial(): Promise<void> {
    const { settings } = this.#owner;
    const { venue, clock, connectTimeoutMs } = settings;
    const { signal } = this.#signal;
    this.#setDeadline(() => {
      const message = `${this.#origin} did not open a WebSocket within ${connectTimeoutMs} ms`;
      this.#end({ cause: 'closed', error: new FeedError('ERR_FEED_CONNECT', message) });
    }, connectTimeoutMs);
    let target: Target;
    try {
      const { lane, why, connectionId, attempt } = this.#context;
      target = await venue.target({ lane, why, connectionId, attempt, signal });
      this.#origin = originOf(target.url);
    } catch (cause) {
      this.#ended({ error: targetError(cause), retryAfterMs: null });
      return;
    }
    if (this.#phase !== 'dial' || this.#ours !== null) return;
    this.#target = target;
    const { headers = {}, subprotocols = [], redirects = 0 } = target;
    const compression = settings.compression ?? target.compression ?? false;
    try {
      this.#socket = settings.dial(
        {
          url: target.url,
          ...{ headers, subprotocols, redirects, compression },
          ...{ tls: settings.tls, proxy: settings.proxy, agent: settings.agent },
          maxMessageBytes: settings.maxMessageBytes,
        },
        this.#listener(),
      );
    } catch (cause) {
      clock.defer(() => this.#ended({ error: targetError(cause), retryAfterMs: null }));
    }
  }

  #listener(): SocketListener {
    const { clock } = this.#owner.settings;
    return {
      opened: () => {
        if (this.#phase === 'dial') this.#opened();
      },
      message: (data, bytes) => {
        if (this.#session !== null) this.#message(data, bytes);
      },
      control: (frame) => {
        const now = clock.now();
        this.#heartbeat?.heard(now);
        if (frame === 'pong') this.#heartbeat?.answered(now);
        // `ws` has answered it by itself.
        else this.#owner.budgets.noteControl('pong', now);
      },
      closed: (end) => this.#ended(end),
    };
  }

  #opened(): void {
    const { venue, clock } = this.#owner.settings;
    const target = this.#target as Target;
    this.#phase = 'login';
    this.#openedAt = clock.now();
    const { lane, connectionId, epoch } = this.#context;
    const owner = this.#owner;
    const out = this.#answers();
    this.#startHeartbeat(target);
    try {
      this.#session = venue.session({
        ...{ lane, connectionId, epoch, target },
        get topics() {
          return owner.topics;
        },
      });
      this.#requests = owner.requestsFor(this.#session);
      this.#out = out;
      if (this.#session.opened === undefined) {
        this.#ready();
        return;
      }
      const loginMs = venue.limits.loginMs ?? LOGIN_MS;
      this.#setDeadline(() => {
        const message = `${this.#origin} did not finish the login within ${loginMs} ms`;
        this.#end({ cause: 'closed', error: new FeedError('ERR_FEED_CONNECT', message) });
      }, loginMs);
      this.#session.opened(out);
    } catch (cause) {
      const message = `the adapter of '${venue.name}' failed at the opening of the socket`;
      this.#end({ cause: 'closed', error: new FeedError('ERR_FEED_CONNECT', message, { cause }) });
    }
  }

  #startHeartbeat(target: Target): void {
    const { clock, heartbeat } = this.#owner.settings;
    this.#heartbeat?.stop();
    this.#heartbeat = new Heartbeat(
      {
        clock,
        ping: () => {
          this.#owner.budgets.noteControl('ping', clock.now());
          this.#socket?.ping();
        },
        send: (frame) => this.send([frame]),
        dead: (why) => this.replace('no-pong', `${this.#origin} ${why}`),
      },
      heartbeat(target),
    );
  }

  #ready(): void {
    if (this.#phase !== 'login' || this.#failure !== null) return;
    this.#cancelDeadline();
    this.#phase = 'open';
    this.#owner.ready(this);
  }

  #message(data: string | Uint8Array, bytes: number): void {
    const { venue, clock, maxMessageBytes } = this.#owner.settings;
    this.#heartbeat?.heard(clock.now());
    this.#owner.message(bytes);
    try {
      const read =
        venue.unpack !== undefined && typeof data !== 'string'
          ? unpacked(data, venue.unpack, maxMessageBytes)
          : data;
      this.#session?.received(read, this.#out as SessionOut);
    } catch (error) {
      if (error instanceof FeedError) this.#end({ cause: 'closed', error });
      else this.#owner.notUnderstood(asError(error));
    }
    this.#requests?.messageRead();
  }

  /** The answers of the session. They are separate functions, since adapters destructure them. */
  #answers(): SessionOut {
    const owner = this.#owner;
    const { clock } = owner.settings;
    const isOn = (): boolean => this.#phase === 'login' || this.#phase === 'open';
    const requests = (): Requests | null => (isOn() ? this.#requests : null);
    return {
      ready: () => this.#ready(),
      send: (frame: Outgoing) => this.send([frame]),
      tick: (symbol: string, data: unknown, at?: Position) => {
        if (this.#phase === 'open') owner.tick(this, symbol, data, at);
      },
      sequence: (n: Seq) => {
        if (isOn()) this.#sequence(n);
      },
      done: (id: number) => requests()?.done(id),
      confirmed: (symbols: readonly string[], subscribed: boolean) =>
        requests()?.confirmed(symbols, subscribed),
      state: (symbols: readonly string[]) => requests()?.state(symbols),
      refused: (refusal: Refusal) => requests()?.refused(refusal),
      slower: (retryAfterMs: number, id: number | null) => requests()?.slower(retryAfterMs, id, clock.now()),
      alive: (answer: boolean) => {
        if (answer) this.#heartbeat?.answered(clock.now());
      },
      heartbeat: (rule: HeartbeatRule) => {
        if (isOn()) this.#startHeartbeat({ ...(this.#target as Target), heartbeat: rule });
      },
      leaving: (withinMs: number | null) => {
        if (isOn()) owner.leaving(withinMs);
      },
      failed: (kind: FailureKind, message: string) => {
        if (isOn()) this.#failed(kind, message);
      },
      hole: (symbols: readonly string[] | null, detail: string) => {
        if (isOn()) owner.hole(symbols, detail);
      },
      market: (segment: string, open: boolean) => {
        if (isOn()) owner.market(segment, open);
      },
    };
  }

  #sequence(n: Seq): void {
    const rule = this.#owner.settings.venue.sequence;
    if (rule === undefined || rule.scope !== 'connection') return;
    const judged = judgeSequence(rule.rule, this.#seq, { seq: n, from: n });
    if (judged.kind !== 'duplicate') this.#seq = n;
    if (judged.kind === 'hole') this.#owner.lineHole(judged.expected, judged.got);
  }

  /** Some servers leave the socket open and mute after they have refused us. */
  #failed(kind: FailureKind, message: string): void {
    this.#failure ??= { kind, message };
    const error = new FeedError(
      kind === 'auth' ? 'ERR_FEED_AUTH' : kind === 'plan' ? 'ERR_FEED_REFUSED' : 'ERR_FEED_LOST',
      `${this.#origin} refuses us: ${message}`,
    );
    this.#setDeadline(() => this.#end({ cause: 'closed', error }), FAILED_MS);
  }

  #end(ours: OurEnd): void {
    if (this.#phase === 'over' || this.#ours !== null) return;
    this.#ours = ours;
    if (this.#socket !== null) this.#socket.terminate();
    // There is nothing yet that would say so.
    else this.#ended({ error: ours.error, retryAfterMs: null });
  }

  #ended(end: SocketEnd): void {
    const phase = this.#phase;
    if (phase === 'over') return;
    const ours = this.#ours;
    const failure = this.#failure;
    const openMs = this.#openedAt === null ? 0 : this.#owner.settings.clock.now() - this.#openedAt;
    this.#close();
    const error = ours?.error ?? (failure === null ? end.error : failureError(this.#origin, failure, end));
    this.#owner.ended(
      this,
      {
        ...{ phase, failure, openMs, error },
        httpStatus: end.httpStatus ?? statusOf(end.error),
        retryAfterMs: end.retryAfterMs,
        code: ours === null ? (end.code ?? null) : null,
        reason: end.reason ?? '',
      },
      ours,
    );
  }

  #close(): void {
    this.#phase = 'over';
    this.#cancelDeadline();
    this.#heartbeat?.stop();
    this.#requests?.end();
    this.#session = null;
    this.#signal.abort();
  }

  #setDeadline(callback: () => void, ms: number): void {
    this.#cancelDeadline();
    this.#deadline = this.#owner.settings.clock.setTimer(callback, ms);
  }

  #cancelDeadline(): void {
    this.#deadline?.cancel();
    this.#deadline = null;
  }
}

/** A dial of the user's own may tell a refusal by the code of its error only. */
function statusOf({ code }: FeedError): number | null {
  return code === 'ERR_FEED_AUTH' ? 401 : null;
}

function failureError(
  origin: string,
  failure: NonNullable<Ending['failure']>,
  { error: cause }: SocketEnd,
): FeedError {
  const code =
    failure.kind === 'auth'
      ? 'ERR_FEED_AUTH'
      : failure.kind === 'plan'
        ? 'ERR_FEED_REFUSED'
        : 'ERR_FEED_LOST';
  return new FeedError(code, `${origin} refuses us: ${failure.message}`, { cause });
}

function targetError(cause: unknown): FeedError {
  if (cause instanceof FeedError) return cause;
  return new FeedError('ERR_FEED_CONNECT', 'the URL or the headers for the feed could not be made', {
    cause,
  });
}

/** The part of a URL that may be shown. Throws ERR_FEED_OPTION, which quotes nothing of it. */
export function originOf(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new FeedError('ERR_FEED_OPTION', 'the URL of the feed cannot be read');
  }
  if (!/^wss?:$/.test(parsed.protocol))
    throw new FeedError(
      'ERR_FEED_OPTION',
      `the URL of a feed begins with ws:// or wss://, not ${parsed.protocol}//`,
    );
  return `${parsed.protocol}//${parsed.host}`;
}
