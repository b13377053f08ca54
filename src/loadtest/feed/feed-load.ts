import { arch, availableParallelism, platform } from 'node:os';
import { onAbort } from '../../base/abort.js';
import { type Clock, systemClock } from '../../base/clock.js';
import type { FeedHandle } from '../../lab/feed-server/orders.js';
import { FeedError } from '../../ws/errors.js';
import { jsonFeed } from '../../ws/json-feed.js';
import type { PlacementStrategy } from '../../ws/placement.js';
import type { TlsOptions } from '../../ws/socket.js';
import type { SubscribeResult } from '../../ws/subscribe-call.js';
import { SubscriptionPool } from '../../ws/subscription-pool.js';
import { type ClientSource, eventLoop, NOT_MEASURED, startClientMeter } from '../client-meter.js';
import type { ClientFigures, Environment, Interruption } from '../result.js';
import { adviseFeed } from './advice.js';
import { feedBottleneck } from './bottleneck.js';
import { FeedRecorder, type SlowCounts } from './recorder.js';
import { type FeedThreshold, judgeFeedThresholds } from './thresholds.js';
import type { FeedLoadResult, FeedServerFigures, Subscribing } from './types.js';
import { judgeFeed } from './verdict.js';

export interface FeedLoadOptions {
  /** `ws://` or `wss://`. */
  readonly url: string;
  /** How the report calls it. Default: the URL's scheme, host and port. */
  readonly title?: string;
  readonly symbols: readonly string[];
  /** Default 1000. */
  readonly maxSymbolsPerConnection?: number;
  /** Default 3. */
  readonly maxConnections?: number;
  /** Default 'first-fit'. */
  readonly placement?: PlacementStrategy;
  /** Subscribe messages that one connection sends in a second. Default 4. */
  readonly batchesPerSecond?: number;
  /** Headers of the opening request. Default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 10 s. */
  readonly connectTimeoutMs?: number | null;
  readonly tls?: TlsOptions;
  readonly durationMs: number;
  /** From all symbols being confirmed to the beginning of the measurement. Default 0. */
  readonly warmupMs?: number;
  /** How often a slow consumer takes what is there for it, so that its ticks are conflated. Default null: there is none. */
  readonly refreshMs?: number | null;
  /** The field with the time of the tick. Default null: detected. */
  readonly stampField?: string | null;
  readonly thresholds?: readonly FeedThreshold[];
  readonly environment?: Environment;
  readonly client?: ClientSource | null;
  readonly clock?: Clock;
  /** The feed itself, where it can be asked what it has counted. */
  readonly server?: FeedHandle | null;
  /** Aborts when the measurement is to end. */
  readonly stop?: AbortSignal;
  /** Aborts to drop everything. */
  readonly abort?: AbortSignal;
  readonly onOpen?: (pool: SubscriptionPool) => void;
  readonly onProgress?: (progress: FeedLoadProgress) => void;
}

export interface FeedLoadProgress {
  readonly phase: 'subscribing' | 'warm-up' | 'load';
  /** From 0 to 1. */
  readonly fraction: number;
  readonly live: number;
  readonly ticks: number;
}

const BATCHES_PER_SECOND = 4;
/** Symbols that are not confirmed after so long are counted as not confirmed, and the load begins without them. */
const CONFIRM_MS = 30_000;
const LOOK_MS = 100;
/** Drawn as a line, more rows than this would be merged anyway. */
const MOST_ROWS = 100;
/** Data that the feed has sent arrives within this time, or never. */
const LAST_TICKS_MS = 2000;
const REFUSALS_SHOWN = 5;

/**
 * Subscribes to a feed, listens for a while, and says what came of it. Rejects if no connection can be opened, or if
 * not one symbol is confirmed; what goes wrong later is counted.
 */
export async function runFeedLoad(options: FeedLoadOptions): Promise<FeedLoadResult> {
  const { clock = systemClock } = options;
  const never = new AbortController().signal;
  const { stop = never, abort = never } = options;
  const pool = new SubscriptionPool({
    url: options.url,
    name: 'feed',
    protocol: jsonFeed({ messagesPerSecond: options.batchesPerSecond ?? BATCHES_PER_SECOND }),
    maxSymbolsPerConnection: options.maxSymbolsPerConnection ?? 1000,
    maxConnections: options.maxConnections ?? 3,
    placement: options.placement ?? 'first-fit',
    headers: () => options.headers ?? {},
    ...(options.connectTimeoutMs == null ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    clock,
  });
  try {
    options.onOpen?.(pool);
    return await new FeedRun(pool, options, clock, stop, abort).result();
  } finally {
    await pool.close();
  }
}

class FeedRun {
  readonly #pool: SubscriptionPool;
  readonly #options: FeedLoadOptions;
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  readonly #abort: AbortSignal;
  readonly #recorder: FeedRecorder;
  readonly #connects: number[] = [];
  #taken = 0;
  /** Until the first connection is open: whatever opens none fails the run. */
  #failFirst: ((error: FeedError) => void) | null = null;

  constructor(
    pool: SubscriptionPool,
    options: FeedLoadOptions,
    clock: Clock,
    stop: AbortSignal,
    abort: AbortSignal,
  ) {
    this.#pool = pool;
    this.#options = options;
    this.#clock = clock;
    this.#stop = stop;
    this.#abort = abort;
    this.#recorder = new FeedRecorder(intervalFor(options.durationMs), options.stampField ?? null);
  }

  async result(): Promise<FeedLoadResult> {
    const { symbols, refreshMs = null, warmupMs = 0, durationMs, client = eventLoop } = this.#options;
    const recorder = this.#recorder;
    const meter = this.#pool.subscriber({
      name: 'meter',
      onTick: ({ symbol, data, receivedAt }) =>
        recorder.tick(symbol, data, receivedAt, this.#clock.wallTime()),
    });
    this.#listen();
    const subscribing = await this.#subscribe((timeoutMs, signal) =>
      meter.subscribe(symbols, { timeoutMs, signal }),
    );
    const slow = refreshMs === null ? null : this.#slowConsumer([...meter.symbols], refreshMs);
    await this.#during('warm-up', warmupMs);

    const clientMeter = client === null ? null : startClientMeter(client, this.#clock);
    clientMeter?.resume();
    const wallMs = this.#clock.wallTime();
    recorder.begin({
      atMs: this.#clock.now(),
      snapshot: this.#pool.snapshot(),
      slow: slow?.counts() ?? null,
    });
    await this.#during('load', durationMs);
    const figures: ClientFigures = clientMeter?.stop() ?? NOT_MEASURED;
    const snapshot = this.#pool.snapshot();
    const measurements = recorder.finish({
      atMs: this.#clock.now(),
      snapshot,
      slow: slow?.counts() ?? null,
    });
    slow?.end();
    const partial: Interruption | null = this.#abort.aborted
      ? 'aborted'
      : this.#stop.aborted
        ? 'interrupted'
        : null;
    const server = await this.#askServer();
    const { thresholds = [], environment = hostEnvironment() } = this.#options;
    const settings = this.#settings();
    const { connections, live } = snapshot.feed;
    const judged = { measurements, subscribing, live, server };
    const bottleneck = feedBottleneck(figures);
    return {
      schema: 1,
      kind: 'feed-loadtest',
      startedAt: new Date(wallMs).toISOString(),
      environment,
      target: this.#options.title ?? this.#pool.settings.origin,
      settings,
      partial,
      verdict: judgeFeed(judged),
      thresholds: judgeFeedThresholds(thresholds, judged),
      subscribing,
      measurements,
      connections,
      server,
      client: { ...figures, bottleneck },
      advice: adviseFeed({ ...judged, settings, bottleneck }),
    };
  }

  #listen(): void {
    this.#pool.on('open', ({ connectionId, tookMs }) => {
      this.#failFirst = null;
      this.#connects.push(tookMs);
      this.#recorder.opened(connectionId, this.#clock.now());
    });
    this.#pool.on('connectFailed', ({ error }) => {
      this.#recorder.connectFailed();
      this.#failFirst?.(error);
    });
    this.#pool.on('lost', (event) => this.#recorder.lost(event, this.#clock.now()));
    this.#pool.on('gap', (event) => this.#recorder.gap(event));
  }

  /** Waits until each symbol is confirmed or refused, but for those that stay unanswered for too long. */
  async #subscribe(
    begin: (timeoutMs: null, signal: AbortSignal) => Promise<readonly SubscribeResult[]>,
  ): Promise<Subscribing> {
    const startedAt = this.#clock.now();
    const asked = this.#options.symbols.length;
    const refusals: { symbol: string; reason: string }[] = [];
    let refused = 0;
    const stopListening = this.#pool.on('refused', ({ symbol, reason }) => {
      refused++;
      if (refusals.length < REFUSALS_SHOWN) refusals.push({ symbol, reason });
    });
    const first = new Promise<never>((_, reject) => {
      this.#failFirst = reject;
    });
    const late = new AbortController();
    const timer = this.#clock.setTimer(() => late.abort(), CONFIRM_MS);
    const stopLooking = this.#look(() => {
      const { live } = this.#pool.snapshot().feed;
      this.#options.onProgress?.({ phase: 'subscribing', fraction: live / asked, live, ticks: 0 });
    });
    const over = new Promise<'late'>((resolve) => onAbort(late.signal, () => resolve('late')));
    // The pool's own timeout would take back the confirmed symbols, so it is not used.
    const all = begin(null, this.#stop);
    try {
      const outcome = await Promise.race([all, first, over]);
      const { live } = this.#pool.snapshot().feed;
      if (live === 0) throw this.#nothingConfirmed(refused, refusals);
      return {
        asked,
        live,
        refused,
        refusals,
        tookMs: outcome === 'late' ? null : this.#clock.now() - startedAt,
        connectMs: this.#connects.length === 0 ? null : Math.max(...this.#connects),
      };
    } finally {
      // It may go on, and is ended with the pool.
      all.catch(() => {});
      timer.cancel();
      stopLooking();
      stopListening();
      this.#failFirst = null;
    }
  }

  #nothingConfirmed(refused: number, refusals: Subscribing['refusals']): FeedError {
    const { origin } = this.#pool.settings;
    if (refused > 0) {
      const [first] = refusals;
      return new FeedError(
        'ERR_FEED_TIMEOUT',
        `${origin} accepts none of the symbols (${refused}); for '${first?.symbol}' it answered: ${first?.reason}`,
        { hint: 'name symbols that it knows with --symbol or --symbols-file' },
      );
    }
    return new FeedError(
      'ERR_FEED_TIMEOUT',
      `${origin} has confirmed no symbol within ${CONFIRM_MS / 1000} s`,
      {
        hint: "it may speak another protocol: requests are sent as { op: 'subscribe', id, symbols } in JSON",
      },
    );
  }

  #slowConsumer(symbols: readonly string[], refreshMs: number): SlowConsumer {
    const subscriber = this.#pool.subscriber({ name: 'slow consumer' });
    // They are all subscribed upstream, and this adds a reference to each; whatever becomes of that is counted there.
    subscriber.subscribe(symbols, { timeoutMs: null }).catch(() => {});
    const end = repeat(this.#clock, refreshMs, () => {
      this.#taken += subscriber.take().length;
    });
    return {
      counts: () => ({ conflated: subscriber.conflated, taken: this.#taken }),
      end() {
        end();
        subscriber.close();
      },
    };
  }

  /** Listens for so long, or until it is stopped. */
  async #during(phase: 'warm-up' | 'load', durationMs: number): Promise<void> {
    if (durationMs === 0 || this.#stop.aborted) return;
    const startedAt = this.#clock.now();
    const stopLooking = this.#look(() => {
      const { feed } = this.#pool.snapshot();
      const now = this.#clock.now();
      this.#recorder.look(now, feed.pending);
      this.#options.onProgress?.({
        phase,
        fraction: Math.min(1, (now - startedAt) / durationMs),
        live: feed.live,
        ticks: this.#recorder.ticks,
      });
    });
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(resolve, durationMs);
      onAbort(this.#stop, () => {
        timer.cancel();
        resolve();
      });
    });
    stopLooking();
  }

  /** Silences the feed, so that what it has sent and what has come can be compared to the last tick. */
  async #askServer(): Promise<FeedServerFigures | null> {
    const { server = null } = this.#options;
    if (server === null || this.#abort.aborted) return null;
    await server.setFaults({ mute: true });
    const facts = await server.facts();
    const until = this.#clock.now() + LAST_TICKS_MS;
    const received = () => this.#pool.snapshot().feed.ticks;
    while (received() < facts.ticks && this.#clock.now() < until) {
      await new Promise<void>((resolve) => void this.#clock.setTimer(resolve, 20));
    }
    const { opened, peakSymbols, peakConnections, tooFast, requests } = facts;
    return {
      sent: facts.ticks,
      received: received(),
      symbols: this.#pool.snapshot().feed.live,
      serverSymbols: new Set(facts.connections.flatMap(({ symbols }) => symbols)).size,
      facts: { opened, peakSymbols, peakConnections, tooFast, requests },
    };
  }

  #settings(): FeedLoadResult['settings'] {
    const { maxSymbolsPerConnection, maxConnections, placement, venue } = this.#pool.settings;
    const { batchesPerSecond = BATCHES_PER_SECOND, durationMs } = this.#options;
    const { warmupMs = 0, refreshMs = null } = this.#options;
    return {
      ...{ protocol: venue.name, maxSymbolsPerConnection, maxConnections, placement },
      ...{ batchesPerSecond, durationMs, warmupMs, refreshMs },
    };
  }

  #look(callback: () => void): () => void {
    return repeat(this.#clock, LOOK_MS, callback);
  }
}

interface SlowConsumer {
  counts(): SlowCounts;
  end(): void;
}

function repeat(clock: Clock, everyMs: number, callback: () => void): () => void {
  const set = () => clock.setTimer(turn, everyMs, { background: true });
  let timer = set();
  function turn(): void {
    callback();
    timer = set();
  }
  return () => timer.cancel();
}

/** A round length with which a run has no more rows than can be drawn. */
function intervalFor(durationMs: number): number {
  const lengths = [100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 900_000];
  return lengths.find((each) => durationMs / each <= MOST_ROWS) ?? Math.ceil(durationMs / MOST_ROWS);
}

function hostEnvironment(): Environment {
  return { poolctl: null, node: null, platform: `${platform()} ${arch()}`, cores: availableParallelism() };
}
