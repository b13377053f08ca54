import type { Clock } from '../../base/clock.js';
import { SlidingWindow } from './sliding-window.js';

/** How a feed treats its clients. */
export interface FeedRules {
  /** Symbols that one connection may have; more are refused. Default 1000. */
  readonly maxSymbols?: number;
  /** Messages that one connection may send in any second; null: any number. Default null. */
  readonly messagesPerSecond?: number | null;
}

/** Faults on purpose. Each lasts until it is set again. */
export interface FeedFaults {
  /** Replies come so much later. */
  readonly replyDelayMs: number;
  /** Symbols that are refused. */
  readonly refuse: readonly string[];
  /** Requests that name one of these are neither carried out nor answered. */
  readonly choke: readonly string[];
  /** No ticks. Requests are answered: connected, but mute. */
  readonly mute: boolean;
  /** No replies to requests. They are carried out. */
  readonly deaf: boolean;
  /** Messages that one connection may send in any second; null: what the rules say. */
  readonly messagesPerSecond: number | null;
  /** Openings are refused with this HTTP status. */
  readonly refuseOpening: { readonly status: number; readonly retryAfter: string | null } | null;
}

export const NO_FAULTS: FeedFaults = {
  replyDelayMs: 0,
  refuse: [],
  choke: [],
  mute: false,
  deaf: false,
  messagesPerSecond: null,
  refuseOpening: null,
};

/** All that the feed has seen, as plain data: what a client believes is checked against it. */
export interface FeedFacts {
  /** Connections that are up and not half-open, each with its symbols, sorted. */
  readonly connections: readonly {
    readonly id: number;
    readonly symbols: readonly string[];
    readonly peakSymbols: number;
  }[];
  /** The most symbols that any one connection ever had. */
  readonly peakSymbols: number;
  /** The most connections that were ever up. */
  readonly peakConnections: number;
  /** Symbols that are on two connections now, and how often that has come about. */
  readonly onTwo: readonly string[];
  readonly everOnTwo: number;
  /** Subscribes of a symbol that the connection had already. */
  readonly repeated: number;
  /** Symbols refused since the connection was full. */
  readonly overCapacity: number;
  /** Requests turned away since they came too fast. */
  readonly tooFast: number;
  readonly opened: number;
  readonly refusedOpenings: number;
  readonly requests: number;
  readonly subscribes: number;
  readonly unsubscribes: number;
  readonly ticks: number;
  /** Rules of the venue that the client broke, in words. */
  readonly violations: readonly string[];
}

/** The server's end of one connection. */
export interface FeedPeer {
  send(text: string): void;
  /** Breaks the connection off. */
  terminate(): void;
  /** Stops reading and answering without notice, as a peer that has lost power. */
  freeze(): void;
}

/** The actions of a client on its connection. */
export interface FeedSession {
  receive(text: string): void;
  /** The client sent a ping: that counts as a message. */
  pinged(): void;
  detached(): void;
}

interface Session {
  readonly id: number;
  readonly peer: FeedPeer;
  readonly symbols: Set<string>;
  /** By how many it allows a second. */
  readonly windows: Map<number, SlidingWindow>;
  /** Made with the first tick: an iterator that nobody moves on keeps every old table of its set alive. */
  cursor: Iterator<string> | null;
  peak: number;
  frozen: boolean;
}

/**
 * A feed in the protocol of jsonFeed, without the sockets: it keeps the symbols of each connection, publishes ticks,
 * does what its faults say, and counts what it has seen.
 */
export class Feed {
  readonly #clock: Clock;
  readonly #maxSymbols: number;
  readonly #messagesPerSecond: number | null;
  readonly #sessions = new Set<Session>();
  faults: FeedFaults = NO_FAULTS;
  #ids = 0;
  #seq = 0;
  #turn = 0;
  #peakSymbols = 0;
  #peakConnections = 0;
  #everOnTwo = 0;
  #repeated = 0;
  #overCapacity = 0;
  #tooFast = 0;
  #refusedOpenings = 0;
  #requests = 0;
  #subscribes = 0;
  #unsubscribes = 0;

  constructor(clock: Clock, { maxSymbols = 1000, messagesPerSecond = null }: FeedRules = {}) {
    this.#clock = clock;
    this.#maxSymbols = maxSymbols;
    this.#messagesPerSecond = messagesPerSecond;
  }

  /** How an opening is refused now; null: it is not. */
  opening(): FeedFaults['refuseOpening'] {
    if (this.faults.refuseOpening !== null) this.#refusedOpenings++;
    return this.faults.refuseOpening;
  }

  attach(peer: FeedPeer): FeedSession {
    const symbols = new Set<string>();
    const session: Session = {
      id: ++this.#ids,
      peer,
      symbols,
      windows: new Map(),
      cursor: null,
      peak: 0,
      frozen: false,
    };
    this.#sessions.add(session);
    this.#peakConnections = Math.max(this.#peakConnections, this.#up().length);
    return {
      receive: (text) => this.#receive(session, text),
      pinged: () => this.#windowOf(session)?.note(this.#clock.now()),
      detached: () => void this.#sessions.delete(session),
    };
  }

  /** Breaks off so many connections, the oldest first; gives how many there were. */
  drop(count = Number.POSITIVE_INFINITY): number {
    const hit = this.#up().slice(0, count);
    for (const session of hit) {
      this.#sessions.delete(session);
      session.peer.terminate();
    }
    return hit.length;
  }

  /** Makes so many connections half-open, the oldest first: they neither say nor hear anything again. */
  freeze(count = Number.POSITIVE_INFINITY): number {
    const hit = this.#up().slice(0, count);
    for (const session of hit) {
      session.frozen = true;
      session.peer.freeze();
    }
    return hit.length;
  }

  /** Sends so many ticks, spread over the connections and their symbols in turn; gives how many went out. */
  publish(count: number): number {
    if (this.faults.mute) return 0;
    const sessions = this.#up().filter(({ symbols }) => symbols.size > 0);
    if (sessions.length === 0) return 0;
    const wallMs = Math.floor(this.#clock.wallTime());
    for (let i = 0; i < count; i++) {
      const session = sessions[this.#turn++ % sessions.length] as Session;
      const symbol = nextSymbol(session);
      session.peer.send(this.#tick(symbol, wallMs));
    }
    return count;
  }

  /** Sends a message of so many bytes on every connection. */
  sendLarge(bytes: number): void {
    for (const { peer } of this.#up()) peer.send(`"${'x'.repeat(Math.max(0, bytes - 2))}"`);
  }

  facts(): FeedFacts {
    const up = this.#up();
    const seen = new Set<string>();
    const onTwo = up.flatMap(({ symbols }) =>
      [...symbols].filter((symbol) => {
        const twice = seen.has(symbol);
        seen.add(symbol);
        return twice;
      }),
    );
    return {
      connections: up.map(({ id, symbols, peak }) => ({
        id,
        symbols: [...symbols].sort(),
        peakSymbols: peak,
      })),
      peakSymbols: this.#peakSymbols,
      peakConnections: this.#peakConnections,
      onTwo,
      everOnTwo: this.#everOnTwo,
      repeated: this.#repeated,
      overCapacity: this.#overCapacity,
      tooFast: this.#tooFast,
      opened: this.#ids,
      refusedOpenings: this.#refusedOpenings,
      requests: this.#requests,
      subscribes: this.#subscribes,
      unsubscribes: this.#unsubscribes,
      ticks: this.#seq,
      violations: [],
    };
  }

  #up(): Session[] {
    return [...this.#sessions].filter(({ frozen }) => !frozen);
  }

  #tick(symbol: string, wallMs = Math.floor(this.#clock.wallTime())): string {
    const seq = ++this.#seq;
    // About 120 bytes, as quotes are.
    return `{"symbol":${JSON.stringify(symbol)},"seq":${seq},"bid":${(seq % 1000) / 8 + 100},"ask":${(seq % 1000) / 8 + 100.5},"last":${(seq % 1000) / 8 + 100.25},"volume":${seq % 9973},"time":${wallMs}}`;
  }

  #receive(session: Session, text: string): void {
    if (session.frozen) return;
    const request = requestOf(text);
    if (request === null) return;
    this.#requests++;
    const now = this.#clock.now();
    const window = this.#windowOf(session);
    if (window !== null && window.roomAt(now) > now) {
      this.#tooFast++;
      const retryAfterMs = Math.ceil(window.roomAt(now) - now);
      session.peer.send(JSON.stringify({ id: request.id, busy: true, retryAfterMs }));
      return;
    }
    window?.note(now);
    const { choke, deaf, replyDelayMs } = this.faults;
    if (request.symbols.some((symbol) => choke.includes(symbol))) return;
    const refused =
      request.op === 'subscribe'
        ? this.#subscribe(session, request.symbols)
        : this.#unsubscribe(session, request.symbols);
    if (deaf) return;
    const reply = JSON.stringify({ id: request.id, ok: true, ...(refused.length > 0 ? { refused } : {}) });
    const send = (): void => {
      if (!session.frozen && this.#sessions.has(session)) session.peer.send(reply);
    };
    if (replyDelayMs === 0) send();
    else this.#clock.setTimer(send, replyDelayMs, { background: true });
  }

  #windowOf({ windows }: Session): SlidingWindow | null {
    const most = this.faults.messagesPerSecond ?? this.#messagesPerSecond;
    if (most === null) return null;
    const window = windows.get(most) ?? new SlidingWindow(most, 1000);
    windows.set(most, window);
    return window;
  }

  #subscribe(session: Session, symbols: readonly string[]): { symbol: string; reason: string }[] {
    const { faults } = this;
    const others = this.#up().filter((each) => each !== session);
    return symbols.flatMap((symbol) => {
      this.#subscribes++;
      if (faults.refuse.includes(symbol)) return [{ symbol, reason: 'unknown symbol' }];
      if (session.symbols.has(symbol)) {
        this.#repeated++;
        // Most venues send the latest tick to each new subscriber.
        if (!faults.mute) session.peer.send(this.#tick(symbol));
        return [];
      }
      if (session.symbols.size >= this.#maxSymbols) {
        this.#overCapacity++;
        return [{ symbol, reason: `no more than ${this.#maxSymbols} symbols on a connection` }];
      }
      if (others.some((other) => other.symbols.has(symbol))) this.#everOnTwo++;
      session.symbols.add(symbol);
      session.peak = Math.max(session.peak, session.symbols.size);
      this.#peakSymbols = Math.max(this.#peakSymbols, session.peak);
      return [];
    });
  }

  #unsubscribe(session: Session, symbols: readonly string[]): { symbol: string; reason: string }[] {
    for (const symbol of symbols) {
      this.#unsubscribes++;
      session.symbols.delete(symbol);
    }
    return [];
  }
}

function nextSymbol(session: Session): string {
  const next = session.cursor?.next();
  if (next !== undefined && next.done !== true) return next.value;
  session.cursor = session.symbols.values();
  return session.cursor.next().value as string;
}

interface Request {
  readonly op: 'subscribe' | 'unsubscribe';
  readonly id: number;
  readonly symbols: readonly string[];
}

/** null for what is no request. */
function requestOf(text: string): Request | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { op, id, symbols } = (value ?? {}) as { op?: unknown; id?: unknown; symbols?: unknown };
  if ((op !== 'subscribe' && op !== 'unsubscribe') || typeof id !== 'number' || !Array.isArray(symbols))
    return null;
  return { op, id, symbols: symbols.filter((each) => typeof each === 'string') };
}
