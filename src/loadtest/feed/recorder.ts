import { Histogram } from '../../base/histogram.js';
import type { FeedSnapshot } from '../../snapshot/feed.js';
import type { FeedEvents } from '../../ws/events.js';
import { distributionOf } from '../distribution.js';
import { StampReader } from './stamp.js';
import type { FeedMeasurements, FeedTimelineRow } from './types.js';

/** The slow consumer's counts so far. */
export interface SlowCounts {
  readonly conflated: number;
  readonly taken: number;
}

/** The counters of a pool at one moment. */
interface Mark {
  readonly atMs: number;
  readonly snapshot: FeedSnapshot;
  readonly slow: SlowCounts | null;
}

/** Collects what a feed does between `begin` and `finish`. Times are those of the pool's clock, in ms. */
export class FeedRecorder {
  readonly #intervalMs: number;
  readonly #stamps: StampReader;
  readonly #latency = new Histogram();
  readonly #rowLatency = new Histogram();
  readonly #heard = new Set<string>();
  readonly #lost = new Map<string, { count: number; example: string }>();
  readonly #lostAt = new Map<number, number>();
  readonly #rows: FeedTimelineRow[] = [];
  #begun: Mark | null = null;
  #rowEndsAt = Number.POSITIVE_INFINITY;
  #notLive = 0;
  #ticks = 0;
  #rowTicks = 0;
  #gaps = 0;
  #gapSymbols = 0;
  #longestGapMs: number | null = null;
  #reconnects = 0;
  #longestReconnectMs: number | null = null;
  #connectFailed = 0;

  constructor(intervalMs: number, stampField: string | null) {
    this.#intervalMs = intervalMs;
    this.#stamps = new StampReader(stampField);
  }

  /** Ticks so far. */
  get ticks(): number {
    return this.#ticks;
  }

  begin(mark: Mark): void {
    this.#begun = mark;
    this.#rowEndsAt = mark.atMs + this.#intervalMs;
  }

  /** One tick, with its arrival by the pool's clock and by the wall clock. */
  tick(symbol: string, data: unknown, atMs: number, wallMs: number): void {
    if (this.#begun === null) return;
    if (atMs >= this.#rowEndsAt) this.#endRows(atMs);
    this.#ticks++;
    this.#rowTicks++;
    this.#heard.add(symbol);
    const ageMs = this.#stamps.ageMs(data, wallMs);
    if (ageMs === null) return;
    this.#latency.recordMs(ageMs);
    this.#rowLatency.recordMs(ageMs);
  }

  gap({ fromMs, toMs, symbols }: FeedEvents['gap']): void {
    if (this.#begun === null) return;
    this.#gaps++;
    this.#gapSymbols += symbols.length;
    this.#longestGapMs = Math.max(this.#longestGapMs ?? 0, toMs - fromMs);
  }

  lost({ connectionId, cause, error }: FeedEvents['lost'], nowMs: number): void {
    if (this.#begun === null) return;
    const known = this.#lost.get(cause);
    if (known !== undefined) known.count++;
    else this.#lost.set(cause, { count: 1, example: error.message });
    this.#lostAt.set(connectionId, nowMs);
  }

  opened(connectionId: number, nowMs: number): void {
    const since = this.#lostAt.get(connectionId);
    if (this.#begun === null || since === undefined) return;
    this.#lostAt.delete(connectionId);
    this.#reconnects++;
    this.#longestReconnectMs = Math.max(this.#longestReconnectMs ?? 0, nowMs - since);
  }

  connectFailed(): void {
    if (this.#begun !== null) this.#connectFailed++;
  }

  /** How many symbols are not subscribed at this moment. */
  look(nowMs: number, notLive: number): void {
    if (this.#begun === null) return;
    this.#notLive = notLive;
    if (nowMs >= this.#rowEndsAt) this.#endRows(nowMs);
  }

  finish({ atMs, snapshot, slow }: Mark): FeedMeasurements {
    const begun = this.#begun ?? { atMs, snapshot, slow };
    const elapsedMs = atMs - begun.atMs;
    if (atMs >= this.#rowEndsAt) this.#endRows(atMs);
    const lastMs = elapsedMs - this.#rows.length * this.#intervalMs;
    this.#notLive = snapshot.feed.pending;
    if (lastMs > 0) this.#endRow(lastMs);
    const since = (of: (feed: FeedSnapshot['feed']) => number) => of(snapshot.feed) - of(begun.snapshot.feed);
    const perSecond = (count: number) => (elapsedMs > 0 ? (count * 1000) / elapsedMs : 0);
    const messages = since((feed) => feed.messages);
    const bytes = since((feed) => feed.bytes);
    const stamp = this.#stamps.facts();
    return {
      elapsedMs,
      messages,
      ticks: this.#ticks,
      bytes,
      messagesPerSecond: perSecond(messages),
      ticksPerSecond: perSecond(this.#ticks),
      bytesPerSecond: perSecond(bytes),
      symbolsHeard: this.#heard.size,
      symbolsSilent: Math.max(0, snapshot.feed.live - this.#heard.size),
      latency: stamp === null ? null : distributionOf(this.#latency),
      stamp,
      gaps: this.#gaps,
      gapSymbols: this.#gapSymbols,
      longestGapMs: this.#longestGapMs,
      lost: [...this.#lost]
        .map(([cause, { count, example }]) => ({ cause, count, example }))
        .sort((a, b) => b.count - a.count),
      reconnects: this.#reconnects,
      longestReconnectMs: this.#longestReconnectMs,
      connectFailed: this.#connectFailed,
      conflated: slow === null ? null : slow.conflated - (begun.slow?.conflated ?? 0),
      taken: slow === null ? null : slow.taken - (begun.slow?.taken ?? 0),
      strays: since((feed) => feed.strays),
      notUnderstood: since((feed) => feed.notUnderstood),
      repeated: since((feed) => feed.repeated),
      timeline: { intervalMs: this.#intervalMs, rows: this.#rows },
    };
  }

  /** Late ticks of a blocked loop count at their arrival. */
  #endRows(nowMs: number): void {
    while (nowMs >= this.#rowEndsAt) {
      this.#endRow(this.#intervalMs);
      this.#rowEndsAt += this.#intervalMs;
    }
  }

  #endRow(lengthMs: number): void {
    this.#rows.push({
      atMs: this.#rows.length * this.#intervalMs,
      lengthMs,
      ticks: this.#rowTicks,
      ticksPerSecond: (this.#rowTicks * 1000) / lengthMs,
      latencyP99Ms: distributionOf(this.#rowLatency).p99Ms,
      notLive: this.#notLive,
    });
    this.#rowTicks = 0;
    this.#rowLatency.reset();
  }
}
