import type { Clock, Timer } from '../../base/clock.js';
import { SiteSampler } from '../../base/site-sampler.js';
import { LeaseEncoder } from '../../leases/encoder.js';
import { type EndReason, Meta, type RecordedPoolFacts, type RecordedProcess } from '../../leases/format.js';

/** Receives blocks. Answers false where it takes no more. */
export type BlockSink = (block: Buffer) => boolean;

/** The state of a pool at one look of the recorder. */
export interface PoolLook {
  readonly facts: RecordedPoolFacts;
  readonly live: number;
  readonly idle: number;
  readonly inUse: number;
  readonly waiting: number;
  /** Acquires that gave up so far; null where the pool tells each of them as it happens. */
  readonly gaveUp: number | null;
  readonly open: Iterable<OpenLease>;
}

export interface OpenLease {
  readonly ageMs: number;
  readonly waitedMs: number;
  /** Formatted only for a lease that is recorded. */
  site(): string | null;
  readonly isPurpose: boolean;
}

/** Between two looks at the pools; what a kill loses. */
const LOOK_MS = 500;
/** A younger lease is recorded when it comes back. Only at the end each one counts. */
const OPEN_MS = 1000;
/** Call sites that are formatted in a second, at up to 0.2 ms each; others are recorded as not looked at. */
const SITES_PER_SECOND = 50;
/** Sites that are told apart in one recording. */
const MOST_SITES = 4000;

/** Records the leases of all pools of a process into blocks. It never throws into the pools. */
export class LeaseRecorder {
  readonly #clock: Clock;
  readonly #sink: BlockSink;
  readonly #originMs: number;
  readonly #encoder: LeaseEncoder;
  readonly #pools = new Map<PoolTape, () => PoolLook>();
  readonly #sites = new Map<string, number>();
  #pooled = 0;
  readonly #whenOver: (() => void)[] = [];
  #timer: Timer | null = null;
  #isOver = false;

  constructor(clock: Clock, process: RecordedProcess, sink: BlockSink) {
    this.#clock = clock;
    this.#sink = sink;
    this.#originMs = clock.now();
    this.#encoder = new LeaseEncoder((block) => this.#give(block));
    this.#encoder.meta(Meta.Process, 0, process);
    this.#arm();
  }

  /** Begins to record a pool. `look` is asked twice a second. */
  add(look: () => PoolLook): PoolTape {
    const tape = new PoolTape(this, this.#pooled++);
    this.#pools.set(tape, look);
    return tape;
  }

  /** Calls back when the recording has ended, for what was set up for it. */
  whenOver(callback: () => void): void {
    this.#whenOver.push(callback);
  }

  /** @internal */
  get encoder(): LeaseEncoder | null {
    return this.#isOver ? null : this.#encoder;
  }

  /** @internal Whole microseconds since the recording began. */
  atUs(nowMs: number): number {
    return Math.max(0, Math.round((nowMs - this.#originMs) * 1000));
  }

  /** @internal */
  siteOf(pool: number, text: string | null): number {
    const key = `${pool}\n${text ?? ''}`;
    const known = this.#sites.get(key);
    if (known !== undefined) return known;
    if (text !== null && this.#sites.size >= MOST_SITES) return this.siteOf(pool, null);
    const site = this.#sites.size;
    this.#sites.set(key, site);
    this.#encoder.site(site, this.atUs(this.#clock.now()), pool, text);
    return site;
  }

  /** Looks at the pools a last time and gives away the last block. To be called as the process exits, too. */
  end(reason: EndReason): void {
    if (this.#isOver) return;
    this.#look(0);
    this.#encoder.meta(Meta.End, this.atUs(this.#clock.now()), reason);
    this.#flush();
    this.#stop();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(
      () => {
        this.#look(OPEN_MS);
        this.#flush();
        if (!this.#isOver) this.#arm();
      },
      LOOK_MS,
      { background: true },
    );
  }

  #look(openMs: number): void {
    const now = this.#clock.now();
    for (const [tape, look] of this.#pools) {
      try {
        tape.look(now, look(), openMs);
      } catch {
        // A pool that cannot be read, or is gone, is looked at no more.
        this.#pools.delete(tape);
      }
    }
  }

  #flush(): void {
    const block = this.#encoder.take();
    if (block !== null) this.#give(block);
  }

  #give(block: Buffer): void {
    if (this.#isOver || this.#sink(block)) return;
    this.#stop();
  }

  #stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#pools.clear();
    for (const callback of this.#whenOver.splice(0)) callback();
  }
}

/** The recording of one pool. Times are those of the recorder's clock, in milliseconds. */
export class PoolTape {
  readonly #recorder: LeaseRecorder;
  readonly #pool: number;
  readonly #sampler = new SiteSampler(SITES_PER_SECOND);
  readonly #unknownSite: number;
  #facts = '';
  #gaveUp = 0;

  constructor(recorder: LeaseRecorder, pool: number) {
    this.#recorder = recorder;
    this.#pool = pool;
    this.#unknownSite = recorder.siteOf(pool, null);
  }

  /** Says whether to format the call site of this lease, which costs more than all the rest. */
  wantsSite(nowMs: number): boolean {
    return this.#sampler.turn(nowMs);
  }

  /** A lease has come back. */
  lease(nowMs: number, heldMs: number, waitedMs: number, site: string | null): void {
    const recorder = this.#recorder;
    const { encoder } = recorder;
    if (encoder === null) return;
    const id = site === null ? this.#unknownSite : recorder.siteOf(this.#pool, site);
    encoder.lease(id, recorder.atUs(nowMs), usOf(heldMs), usOf(waitedMs));
  }

  connected(nowMs: number, tookMs: number | null): void {
    this.#recorder.encoder?.connect(
      this.#pool,
      this.#recorder.atUs(nowMs),
      tookMs === null ? null : usOf(tookMs),
    );
  }

  /** An acquire has left the queue without a lease. */
  gaveUp(nowMs: number, waitedMs: number): void {
    this.#recorder.encoder?.gaveUp(this.#pool, this.#recorder.atUs(nowMs), 1, usOf(waitedMs));
  }

  /** @internal */
  look(nowMs: number, { facts, gaveUp, open, ...figures }: PoolLook, openMs: number): void {
    const { encoder } = this.#recorder;
    if (encoder === null) return;
    const atUs = this.#recorder.atUs(nowMs);
    const text = JSON.stringify(facts);
    if (text !== this.#facts) {
      this.#facts = text;
      encoder.pool(this.#pool, atUs, facts);
    }
    if (gaveUp !== null && gaveUp > this.#gaveUp) {
      const waited = facts.acquireTimeoutMs;
      encoder.gaveUp(this.#pool, atUs, gaveUp - this.#gaveUp, typeof waited === 'number' ? usOf(waited) : 0);
    }
    this.#gaveUp = Math.max(this.#gaveUp, gaveUp ?? 0);
    const old = [...open].filter(({ ageMs }) => ageMs >= openMs);
    encoder.gauge(this.#pool, atUs, figures);
    for (const lease of old) {
      const site = this.#recorder.siteOf(this.#pool, lease.site());
      encoder.open(site, atUs, usOf(lease.ageMs), usOf(lease.waitedMs), lease.isPurpose);
    }
  }
}

function usOf(ms: number): number {
  return ms > 0 ? Math.round(ms * 1000) : 0;
}
