import type { Clock, Timer } from '../../../base/clock.js';
import { type FeedFacts, type FeedFaults, NO_FAULTS } from '../feed.js';
import { SlidingWindow } from '../sliding-window.js';
import type { MarketEvent, VenueLine, VenueRules, VenueSession, VenueWire } from './venue-wire.js';

/** The socket of one connection. */
export interface VenuePeer {
  send(frame: string | Uint8Array): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  /** Neither reads nor answers from now on. */
  freeze(): void;
}

/** The actions of a client on its connection. */
export interface VenueEnd {
  received(frame: string | Buffer): void;
  pinged(): void;
  ponged(): void;
  detached(): void;
}

/** The counts of a venue. */
export interface VenueFacts extends FeedFacts {
  /** Connections that the venue ended for their age. */
  readonly aged: number;
}

interface Line {
  readonly id: number;
  readonly peer: VenuePeer;
  readonly session: VenueSession;
  readonly symbols: Map<string, string>;
  readonly windows: readonly SlidingWindow[];
  readonly timers: Set<Timer>;
  peak: number;
  frozen: boolean;
  heardAt: number;
  asked: boolean;
  pongDue: boolean;
}

/**
 * A venue without its sockets: it keeps the symbols of each connection, enforces the venue's rules, has a market whose
 * events all connections with the symbol are told of, does what its faults say, and counts what it has seen.
 */
export class VenueMarket {
  faults: FeedFaults = NO_FAULTS;
  readonly #wire: VenueWire;
  readonly #rules: VenueRules;
  readonly #clock: Clock;
  readonly #lines = new Set<Line>();
  readonly #bySymbol = new Map<string, Set<Line>>();
  readonly #events = new Map<string, MarketEvent>();
  readonly #violations: string[] = [];
  readonly #dials: SlidingWindow | null;
  readonly #together: SlidingWindow | null;
  #cursor: Iterator<string> | null = null;
  readonly #counts = {
    ...{ ids: 0, ticks: 0, peakSymbols: 0, peakConnections: 0, everOnTwo: 0, repeated: 0, overCapacity: 0 },
    ...{ tooFast: 0, refusedOpenings: 0, requests: 0, subscribes: 0, unsubscribes: 0, aged: 0 },
  };

  constructor(wire: VenueWire, clock: Clock) {
    this.#wire = wire;
    this.#rules = wire.rules;
    this.#clock = clock;
    const { dials, framesTogether } = wire.rules;
    this.#dials = dials === null ? null : new SlidingWindow(dials.most, dials.windowMs);
    this.#together =
      framesTogether === null ? null : new SlidingWindow(framesTogether.most, framesTogether.windowMs);
  }

  /** How an opening is refused; null: it is not. */
  opening(url: URL, headers: Readonly<Record<string, string | undefined>>): FeedFaults['refuseOpening'] {
    const refusal = this.#refusal(url, headers);
    if (refusal !== null) this.#counts.refusedOpenings++;
    return refusal;
  }

  attach(url: URL, peer: VenuePeer): VenueEnd {
    const { frames, requests } = this.#rules;
    const windows = [frames, requests].map((each) =>
      each === null
        ? new SlidingWindow(Number.POSITIVE_INFINITY, 1)
        : new SlidingWindow(each.most, each.windowMs),
    );
    const symbols = new Map<string, string>();
    const self: { line: Line | null } = { line: null };
    const session = this.#wire.session(this.#lineOf(url, peer, symbols, self));
    const line: Line = {
      ...{ id: ++this.#counts.ids, peer, session, symbols, windows, timers: new Set() },
      ...{ peak: 0, frozen: false, heardAt: this.#clock.now(), asked: false, pongDue: false },
    };
    self.line = line;
    this.#lines.add(line);
    this.#counts.peakConnections = Math.max(this.#counts.peakConnections, this.#up().length);
    this.#watch(line);
    session.opened?.();
    return {
      received: (frame) => this.#received(line, frame),
      pinged: () => this.#control(line),
      ponged: () => {
        line.pongDue = false;
        this.#control(line);
      },
      detached: () => this.#detach(line),
    };
  }

  /** Breaks off so many connections, the oldest first; gives how many there were. */
  drop(count = Number.POSITIVE_INFINITY): number {
    const hit = this.#up().slice(0, count);
    for (const line of hit) {
      this.#detach(line);
      line.peer.terminate();
    }
    return hit.length;
  }

  /** Makes so many connections half-open, the oldest first. */
  freeze(count = Number.POSITIVE_INFINITY): number {
    const hit = this.#up().slice(0, count);
    for (const line of hit) {
      line.frozen = true;
      this.#stopWatching(line);
      line.peer.freeze();
    }
    return hit.length;
  }

  /** Tells so many connections that they end soon, the oldest first. */
  leave(count = Number.POSITIVE_INFINITY): number {
    const hit = this.#up().slice(0, count);
    for (const { session } of hit) session.leaving?.();
    return hit.length;
  }

  /** Makes so many events, over the symbols that anybody has, in turn; gives how many. */
  publish(count: number): number {
    for (let made = 0; made < count; made++) {
      const symbol = this.#nextSymbol();
      if (symbol === null) return made;
      this.event(symbol);
    }
    return count;
  }

  /** One event of a symbol, for all connections that have it. */
  event(symbol: string): MarketEvent {
    const seq = (this.#events.get(symbol)?.seq ?? 0) + 1;
    const event = { symbol, seq, cents: 10_000 + (seq % 1000), wallMs: Math.floor(this.#clock.wallTime()) };
    this.#events.set(symbol, event);
    if (this.faults.mute) return event;
    for (const line of this.#bySymbol.get(symbol) ?? []) {
      if (line.frozen) continue;
      this.#counts.ticks++;
      line.session.tick(event);
    }
    return event;
  }

  facts(): VenueFacts {
    const up = this.#up();
    const onTwo = [...this.#bySymbol].filter(
      ([, lines]) => [...lines].filter(({ frozen }) => !frozen).length > 1,
    );
    const { ids, ...counts } = this.#counts;
    return {
      connections: up.map(({ id, symbols, peak }) => ({
        ...{ id, symbols: [...symbols.keys()].sort(), peakSymbols: peak },
      })),
      onTwo: onTwo.map(([symbol]) => symbol),
      opened: ids,
      violations: [...this.#violations],
      ...counts,
    };
  }

  #up(): Line[] {
    return [...this.#lines].filter(({ frozen }) => !frozen);
  }

  #refusal(url: URL, headers: Readonly<Record<string, string | undefined>>): FeedFaults['refuseOpening'] {
    if (this.faults.refuseOpening !== null) return this.faults.refuseOpening;
    const now = this.#clock.now();
    if (this.#dials !== null && this.#dials.roomAt(now) > now) {
      this.#violations.push('too many openings');
      return { status: 429, retryAfter: '1' };
    }
    this.#dials?.note(now);
    if (this.#up().length >= this.#rules.connections) {
      this.#violations.push(`more than ${this.#rules.connections} connections`);
      return { status: 429, retryAfter: '1' };
    }
    const status = this.#wire.opening(url, headers);
    return status === null ? null : { status, retryAfter: null };
  }

  #lineOf(
    url: URL,
    peer: VenuePeer,
    symbols: Map<string, string>,
    self: { readonly line: Line | null },
  ): VenueLine {
    const market = this;
    const isUp = (): boolean => self.line === null || (this.#lines.has(self.line) && !self.line.frozen);
    return {
      url,
      symbols,
      get wallMs() {
        return Math.floor(market.#clock.wallTime());
      },
      send: (frame) => {
        if (isUp()) peer.send(frame);
      },
      reply: (frame) => {
        const { deaf, replyDelayMs } = this.faults;
        if (deaf) return;
        if (replyDelayMs === 0) peer.send(frame);
        else
          this.#clock.setTimer(
            () => {
              if (isUp()) peer.send(frame);
            },
            replyDelayMs,
            { background: true },
          );
      },
      close: (code, reason) => peer.close(code, reason),
      isChoked: (asked) => asked.some((symbol) => this.faults.choke.includes(symbol)),
      subscribe: (symbol, mode) => this.#subscribe(self.line as Line, symbol, mode),
      unsubscribe: (symbol) => this.#unsubscribe(self.line as Line, symbol),
      latest: (symbol) => (this.faults.mute ? null : (this.#events.get(symbol) ?? null)),
      violation: (what) => void this.#violations.push(what),
    };
  }

  #subscribe(line: Line, symbol: string, mode: string): ReturnType<VenueLine['subscribe']> {
    this.#counts.subscribes++;
    if (this.faults.refuse.includes(symbol)) return 'unknown';
    if (line.symbols.has(symbol)) {
      if (line.symbols.get(symbol) === mode) this.#counts.repeated++;
      line.symbols.set(symbol, mode);
      return 'again';
    }
    if (line.symbols.size >= this.#rules.symbols) {
      this.#counts.overCapacity++;
      return 'full';
    }
    const lines = this.#bySymbol.get(symbol) ?? new Set<Line>();
    if ([...lines].some(({ frozen }) => !frozen)) this.#counts.everOnTwo++;
    lines.add(line);
    this.#bySymbol.set(symbol, lines);
    line.symbols.set(symbol, mode);
    line.peak = Math.max(line.peak, line.symbols.size);
    this.#counts.peakSymbols = Math.max(this.#counts.peakSymbols, line.peak);
    return 'new';
  }

  #unsubscribe(line: Line, symbol: string): boolean {
    this.#counts.unsubscribes++;
    this.#forget(line, symbol);
    return line.symbols.delete(symbol);
  }

  #forget(line: Line, symbol: string): void {
    const lines = this.#bySymbol.get(symbol);
    lines?.delete(line);
    if (lines?.size === 0) this.#bySymbol.delete(symbol);
  }

  #received(line: Line, frame: string | Buffer): void {
    if (line.frozen) return;
    line.heardAt = this.#clock.now();
    if (this.#isTooFast(line, true)) {
      this.#counts.tooFast++;
      line.session.tooFast?.();
      return;
    }
    line.asked = true;
    this.#counts.requests++;
    line.session.received(frame);
  }

  #control(line: Line): void {
    if (line.frozen) return;
    line.heardAt = this.#clock.now();
    if (this.#rules.frames?.countsControl && this.#isTooFast(line, false)) {
      this.#counts.tooFast++;
      line.session.tooFast?.();
    }
  }

  #isTooFast(line: Line, isMessage: boolean): boolean {
    const now = this.#clock.now();
    const [frames, requests] = line.windows;
    const all = [frames, ...(isMessage ? [requests, this.#together] : [])].filter((each) => each != null);
    const isOver = all.some((window) => window.roomAt(now) > now);
    for (const window of all) window.note(now);
    if (isOver) this.#violations.push(`connection ${line.id} is too fast`);
    return isOver;
  }

  #nextSymbol(): string | null {
    if (this.#bySymbol.size === 0) return null;
    const next = this.#cursor?.next();
    if (next !== undefined && next.done !== true) return next.value;
    this.#cursor = this.#bySymbol.keys();
    return this.#cursor.next().value as string;
  }

  #detach(line: Line): void {
    if (!this.#lines.delete(line)) return;
    this.#stopWatching(line);
    for (const symbol of line.symbols.keys()) this.#forget(line, symbol);
  }

  // By the clock

  #watch(line: Line): void {
    const { maxAgeMs, silentMs, firstRequestMs, ping, heartbeatMs } = this.#rules;
    if (maxAgeMs !== null) this.#later(line, maxAgeMs, () => this.#end(line, 1000, 'too old', true));
    if (firstRequestMs !== null) {
      this.#later(line, firstRequestMs, () => {
        if (!line.asked) this.#end(line, 1008, 'nothing was subscribed');
      });
    }
    if (silentMs !== null) this.#watchSilence(line, silentMs);
    if (heartbeatMs !== null) this.#every(line, heartbeatMs, () => line.session.heartbeat?.());
    if (ping !== null) {
      this.#every(line, ping.everyMs, () => {
        line.pongDue = true;
        line.peer.ping();
        this.#later(line, ping.answerMs, () => {
          if (line.pongDue) this.#end(line, 1008, 'no pong');
        });
      });
    }
  }

  #watchSilence(line: Line, silentMs: number): void {
    this.#later(line, Math.max(1, line.heardAt + silentMs - this.#clock.now()), () => {
      if (this.#clock.now() - line.heardAt >= silentMs) this.#end(line, 4004, 'No data received in 30s.');
      else this.#watchSilence(line, silentMs);
    });
  }

  #end(line: Line, code: number, reason: string, isAge = false): void {
    if (isAge) this.#counts.aged++;
    else this.#violations.push(`connection ${line.id}: ${reason}`);
    line.peer.close(code, reason);
  }

  #every(line: Line, ms: number, act: () => void): void {
    this.#later(line, ms, () => {
      act();
      this.#every(line, ms, act);
    });
  }

  #later(line: Line, ms: number, act: () => void): void {
    const timer = this.#clock.setTimer(
      () => {
        line.timers.delete(timer);
        if (this.#lines.has(line) && !line.frozen) act();
      },
      ms,
      { background: true },
    );
    line.timers.add(timer);
  }

  #stopWatching(line: Line): void {
    for (const timer of line.timers) timer.cancel();
    line.timers.clear();
  }
}
