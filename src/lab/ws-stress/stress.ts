import type { Clock } from '../../base/clock.js';
import { type Random, seededRandom } from '../../base/random.js';
import { FeedError } from '../../ws/errors.js';
import { jsonFeed } from '../../ws/json-feed.js';
import type { PlacementStrategy } from '../../ws/placement.js';
import type { SubscribeOptions, Subscriber } from '../../ws/subscriber.js';
import { SubscriptionPool } from '../../ws/subscription-pool.js';
import { type FeedFacts, NO_FAULTS } from '../feed-server/feed.js';
import type { FeedHandle } from '../feed-server/orders.js';
import { NumberCheck } from './number-check.js';
import type { StressVenue } from './protocols.js';
import type { StressCheck, StressFault, StressResult, StressRound } from './types.js';

export interface StressOptions {
  /** The venue that the feed plays. Default null: the protocol of jsonFeed. */
  readonly venue?: StressVenue | null;
  readonly symbols: number;
  readonly maxSymbolsPerConnection: number;
  readonly maxConnections: number;
  readonly placement: PlacementStrategy;
  readonly batchesPerSecond: number;
  readonly faults: readonly StressFault[];
  readonly seed: number;
  /** How long a round may take to become quiet, in milliseconds. */
  readonly settleMs: number;
  readonly clock: Clock;
  /** Ends after the round that is on. */
  readonly stop: AbortSignal;
  readonly onRound?: (name: string, done: number, all: number) => void;
}

/** Short, so that a run takes seconds: half-open and mute connections are found in about a second each. */
const PING_MS = 500;
const STALE_MS = 1000;
const REQUEST_MS = 2000;
/** The share of the symbols that comes and goes in each round. It distinguishes a half-open peer from a slow one. */
const CHURN_SHARE = 0.05;
const LOOK_MS = 20;
const SLEEPER_MS = 2000;
const REFUSED_SYMBOLS = 5;

/**
 * Keeps all symbols subscribed while the feed does its worst, and asks the feed itself at each quiet moment whether
 * its set of symbols is the one that is wanted.
 */
export async function runStress(feed: FeedHandle, options: StressOptions): Promise<StressResult> {
  const { clock } = options;
  const startedAt = clock.now();
  const run = new StressRun(feed, options);
  try {
    const rounds = await run.rounds();
    return await run.result(rounds, clock.now() - startedAt);
  } finally {
    await run.end();
  }
}

class StressRun {
  readonly #feed: FeedHandle;
  readonly #options: StressOptions;
  readonly #random: Random;
  readonly #pool: SubscriptionPool;
  readonly #holder: Subscriber;
  readonly #sleeper: Subscriber;
  readonly #churner: Subscriber;
  readonly #symbols: readonly string[];
  readonly #venue: StressVenue | null;
  readonly #numbers: NumberCheck | null;
  #sleeping = true;
  #marketOpen = false;
  #now: {
    lost: number;
    causes: Set<string>;
    reconnects: number[];
    resubscribes: number[];
    gaps: number;
    gapSymbols: number;
  } = newRecord();
  #gapSymbols = 0;

  constructor(feed: FeedHandle, options: StressOptions) {
    const { symbols, maxSymbolsPerConnection, maxConnections, placement, batchesPerSecond, seed, clock } =
      options;
    this.#feed = feed;
    this.#options = options;
    this.#random = seededRandom(seed);
    const venue = options.venue ?? null;
    this.#venue = venue;
    this.#numbers = venue === null ? null : new NumberCheck((data) => venue.numberOf(data));
    this.#symbols = Array.from(
      { length: symbols },
      (_, at) => venue?.symbol(at) ?? `SYM${String(at).padStart(5, '0')}`,
    );
    this.#pool = new SubscriptionPool({
      ...(venue === null
        ? { url: feed.url, protocol: jsonFeed({ messagesPerSecond: batchesPerSecond }) }
        : { venue: venue.adapter(feed.url) }),
      name: 'stress',
      maxSymbolsPerConnection,
      maxConnections,
      // For the round that replaces connections without a gap.
      connectionQuota: maxConnections + 1,
      placement,
      ...(venue === null ? { pingIntervalMs: PING_MS, pongTimeoutMs: PING_MS } : {}),
      staleAfterMs: STALE_MS,
      requestTimeoutMs: REQUEST_MS,
      isMarketOpen: () => this.#marketOpen,
      random: this.#random,
      clock,
    });
    this.#holder = this.#pool.subscriber({
      name: 'holder',
      onTick: ({ symbol, data }) => this.#numbers?.tick(symbol, data),
    });
    this.#sleeper = this.#pool.subscriber({ name: 'sleeper' });
    this.#churner = this.#pool.subscriber({ name: 'churner', onTick: () => {} });
    this.#record();
    this.#sleep();
  }

  async rounds(): Promise<StressRound[]> {
    const { faults, stop, onRound } = this.#options;
    const rounds: StressRound[] = [];
    const names = ['subscribe' as const, ...faults];
    for (const name of names) {
      if (stop.aborted) break;
      onRound?.(name, rounds.length, names.length);
      rounds.push(await this.#round(name));
    }
    return rounds;
  }

  async result(rounds: readonly StressRound[], elapsedMs: number): Promise<StressResult> {
    const { symbols, maxSymbolsPerConnection, maxConnections, faults } = this.#options;
    const facts = await this.#feed.facts();
    const { feed } = this.#pool.snapshot();
    return {
      schema: 1,
      kind: 'ws-stress',
      protocol: this.#venue?.name ?? 'json',
      symbols,
      maxSymbolsPerConnection,
      maxConnections,
      elapsedMs,
      partial: rounds.length < faults.length + 1,
      rounds,
      totals: {
        messages: feed.messages,
        messagesPerSecond: (feed.messages * 1000) / elapsedMs,
        bytes: feed.bytes,
        gaps: feed.gaps,
        gapSymbols: this.#gapSymbols,
        conflated: this.#sleeper.conflated,
        dropped: feed.dropped,
        strays: feed.strays,
        refused: feed.refused,
        repeated: feed.repeated,
        tooFast: facts.tooFast,
        peakSymbols: facts.peakSymbols,
        peakConnections: facts.peakConnections,
      },
      passed: rounds.every(({ checks }) => checks.every(({ ok }) => ok)),
    };
  }

  async end(): Promise<void> {
    this.#sleeping = false;
    await this.#pool.close();
  }

  async #round(name: StressRound['name']): Promise<StressRound> {
    const { clock } = this.#options;
    this.#now = newRecord();
    const startedAt = clock.now();
    const own = await held(() => this.#act(name));
    const quiet = await held(async () => [await this.#quiet()]);
    const { lost, causes, reconnects, resubscribes, gaps, gapSymbols } = this.#now;
    return {
      name,
      tookMs: clock.now() - startedAt,
      lost,
      causes: [...causes].sort(),
      reconnectMs: reconnects.length === 0 ? null : Math.max(...reconnects),
      resubscribeMs: resubscribes.length === 0 ? null : Math.max(...resubscribes),
      gaps,
      gapSymbols,
      checks: [...own, ...quiet, ...this.#checkFacts(await this.#feed.facts())],
    };
  }

  /** Injects the fault, and gives what had to come of it. */
  async #act(name: StressRound['name']): Promise<StressCheck[]> {
    const { symbols, maxConnections, maxSymbolsPerConnection } = this.#options;
    const used = Math.min(maxConnections, Math.ceil(symbols / maxSymbolsPerConnection));
    switch (name) {
      case 'subscribe': {
        const results = await this.#holder.subscribe(this.#symbols, this.#how(this.#options.settleMs));
        await this.#sleeper.subscribe(
          this.#symbols.slice(0, Math.min(100, Math.floor(symbols / 2))),
          this.#how(this.#options.settleMs),
        );
        const live = results.filter(({ outcome }) => outcome === 'live' || outcome === 'assumed').length;
        return [check('all are confirmed', live === symbols, `${live} of ${symbols}`)];
      }
      case 'drop': {
        const dropped = await this.#feed.drop(used);
        this.#churn();
        return [await this.#until('all that were dropped are noticed', () => this.#now.lost >= dropped)];
      }
      case 'half-open': {
        await this.#feed.freeze(1);
        this.#churn();
        return [await this.#until('it is found by a ping', () => this.#now.causes.has('no-pong'))];
      }
      case 'slow':
        await this.#feed.setFaults({ replyDelayMs: REQUEST_MS / 4 });
        this.#churn();
        return this.#afterChurn();
      case 'reject':
        return this.#reject();
      case 'mute': {
        this.#marketOpen = true;
        await this.#feed.setFaults({ mute: true });
        const found = await this.#until('a stale feed is replaced, though it answers pings', () =>
          this.#now.causes.has('stale'),
        );
        this.#marketOpen = false;
        await this.#feed.setFaults(NO_FAULTS);
        return [found];
      }
      case 'rotate':
        return this.#rotate(used);
      case 'rate-limit': {
        // A venue has a limit of its own, which the adapter has to keep to.
        if (this.#venue === null)
          await this.#feed.setFaults({
            messagesPerSecond: Math.max(1, Math.floor(this.#options.batchesPerSecond / 2)),
          });
        await this.#feed.drop(1);
        this.#churn();
        const found = await this.#until('the loss is noticed', () => this.#now.lost > 0);
        return [found, ...(await this.#afterChurn())];
      }
    }
  }

  /** Some symbols go, and others come in their places that the server does not know. */
  async #reject(): Promise<StressCheck[]> {
    const bad = Array.from({ length: REFUSED_SYMBOLS }, (_, at) => this.#venue?.unknown(at) ?? `BAD${at}`);
    const parted = this.#symbols.slice(-REFUSED_SYMBOLS);
    await this.#feed.setFaults({ refuse: bad });
    this.#holder.unsubscribe(parted);
    await this.#until('places are freed', () => this.#pool.snapshot().feed.releasing === 0);
    const results = await this.#churner.subscribe(bad, this.#how(this.#options.settleMs));
    const expected = this.#venue?.unknownBecomes ?? 'refused';
    const refused = results.filter(({ outcome }) => outcome === expected).length;
    this.#churner.unsubscribe(bad);
    await this.#until('their places are freed', () => this.#pool.snapshot().feed.releasing === 0);
    await this.#holder.subscribe(parted, this.#how(this.#options.settleMs));
    await this.#feed.setFaults(NO_FAULTS);
    return [
      check(
        `unknown symbols are ${expected}, and no others`,
        refused === bad.length,
        `${refused} of ${bad.length}`,
      ),
    ];
  }

  /** Every connection is replaced while ticks flow. */
  async #rotate(used: number): Promise<StressCheck[]> {
    let moved = 0;
    let gapless = 0;
    const stop = this.#pool.on('moved', (report) => {
      moved++;
      if (report.gapless) gapless++;
    });
    this.#numbers?.begin();
    this.#pool.rotate();
    const all = await this.#until('all connections are replaced', () => moved >= used);
    stop();
    // The server hears of the end of a socket a moment after us.
    for (let looks = 0; looks < 50 && (await this.#feed.facts()).onTwo.length > 0; looks++)
      await new Promise<void>((resolve) => void this.#options.clock.setTimer(resolve, LOOK_MS));
    const { gaps, lost } = this.#now;
    return [
      all,
      check(
        'without a gap',
        gapless === moved && gaps === 0 && lost === 0,
        `${gapless} of ${moved}, ${gaps} gaps`,
      ),
      ...(this.#numbers === null ? [] : [this.#numbers.end()]),
    ];
  }

  /** Symbols go, some of them for good until the round is over. Nobody waits: faults are on. */
  #churn(): void {
    const some = this.#symbols.filter(() => this.#random() < CHURN_SHARE);
    this.#holder.unsubscribe(some);
    const [back, later] = [some.filter((_, at) => at % 2 === 0), some.filter((_, at) => at % 2 === 1)];
    for (const symbols of [back, later]) {
      this.#holder.subscribe(symbols, this.#how(null)).catch((error: unknown) => {
        this.#now.causes.add(error instanceof Error ? error.message : String(error));
      });
      this.#holder.unsubscribe(later);
    }
  }

  #how(timeoutMs: number | null): SubscribeOptions {
    const mode = this.#venue?.mode;
    return { timeoutMs, ...(mode === undefined ? {} : { mode }) };
  }

  async #afterChurn(): Promise<StressCheck[]> {
    const settled = await this.#quiet();
    await this.#feed.setFaults(NO_FAULTS);
    return settled.ok ? [] : [settled];
  }

  async #quiet(): Promise<StressCheck> {
    // First subscribes again to the symbols that it dropped in this round: each round begins with all symbols.
    const gone = this.#symbols.filter((symbol) => !this.#holder.symbols.has(symbol));
    const back = await this.#until('places for what comes back', () => {
      const { symbols, releasing, capacity } = this.#pool.snapshot().feed;
      return symbols + releasing + gone.length <= capacity || gone.length === 0 || releasing === 0;
    });
    if (!back.ok) return back;
    await this.#holder.subscribe(gone, this.#how(this.#options.settleMs));
    return this.#until('it becomes quiet', () => {
      const { pending, releasing, connections } = this.#pool.snapshot().feed;
      return (
        pending === 0 &&
        releasing === 0 &&
        connections.every(({ state }) => state === 'open' || state === 'idle')
      );
    });
  }

  #checkFacts(facts: FeedFacts): StressCheck[] {
    const { maxSymbolsPerConnection, maxConnections, faults } = this.#options;
    // One more while a connection is replaced.
    const allowed = maxConnections + (faults.includes('rotate') ? 1 : 0);
    const wanted = new Set([...this.#holder.symbols, ...this.#sleeper.symbols, ...this.#churner.symbols]);
    const server = new Set(facts.connections.flatMap(({ symbols }) => symbols));
    const missing = [...wanted].filter((symbol) => !server.has(symbol)).length;
    const extra = [...server].filter((symbol) => !wanted.has(symbol)).length;
    return [
      check(
        "the server's symbols are the wanted ones",
        missing === 0 && extra === 0,
        `${server.size} of ${wanted.size}, ${missing} missing, ${extra} too many`,
      ),
      check('no symbol is on two connections', facts.onTwo.length === 0, `${facts.onTwo.length} are`),
      check(
        'no connection was ever above its cap',
        facts.peakSymbols <= maxSymbolsPerConnection && facts.overCapacity === 0,
        `${facts.peakSymbols} of ${maxSymbolsPerConnection} at most`,
      ),
      check(
        'there were never more connections than allowed',
        facts.peakConnections <= allowed,
        `${facts.peakConnections} of ${allowed} at most`,
      ),
      ...(this.#venue === null
        ? []
        : [
            check(
              'no rule of the venue was broken',
              facts.violations.length === 0,
              `${facts.violations.length} times${facts.violations.length === 0 ? '' : `: ${facts.violations[0]}`}`,
            ),
          ]),
    ];
  }

  async #until(name: string, isSo: () => boolean): Promise<StressCheck> {
    const { clock, settleMs } = this.#options;
    const startedAt = clock.now();
    while (!isSo()) {
      if (clock.now() - startedAt > settleMs) return check(name, false, `not within ${settleMs / 1000} s`);
      await new Promise<void>((resolve) => void clock.setTimer(resolve, LOOK_MS));
    }
    return check(name, true, `after ${Math.round(clock.now() - startedAt)} ms`);
  }

  #record(): void {
    const { clock } = this.#options;
    const lostAt = new Map<number, number>();
    const openedAt = new Map<number, number>();
    this.#pool.on('lost', ({ connectionId, cause }) => {
      this.#now.lost++;
      this.#now.causes.add(cause);
      lostAt.set(connectionId, clock.now());
    });
    this.#pool.on('open', ({ connectionId }) => {
      const since = lostAt.get(connectionId);
      openedAt.set(connectionId, clock.now());
      if (since !== undefined) this.#now.reconnects.push(clock.now() - since);
      lostAt.delete(connectionId);
    });
    this.#pool.on('gap', ({ connectionId, symbols }) => {
      this.#now.gaps++;
      this.#now.gapSymbols += symbols.length;
      this.#gapSymbols += symbols.length;
      const since = openedAt.get(connectionId);
      if (since !== undefined) this.#now.resubscribes.push(clock.now() - since);
    });
  }

  /** A slow subscriber: its ticks are conflated. */
  #sleep(): void {
    this.#options.clock.setTimer(
      () => {
        this.#sleeper.take();
        if (this.#sleeping) this.#sleep();
      },
      SLEEPER_MS,
      { background: true },
    );
  }
}

function newRecord() {
  return {
    lost: 0,
    causes: new Set<string>(),
    reconnects: [] as number[],
    resubscribes: [] as number[],
    gaps: 0,
    gapSymbols: 0,
  };
}

/** An error of the pool itself is a failed check as well, and does not end the run. */
async function held(work: () => Promise<StressCheck[]>): Promise<StressCheck[]> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FeedError) return [check('the pool does as it is told', false, error.message)];
    throw error;
  }
}

function check(name: string, ok: boolean, detail: string): StressCheck {
  return { name, ok, detail };
}
