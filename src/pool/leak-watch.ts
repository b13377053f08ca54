import { captureSite, formatSite, formatStack } from '../base/call-site.js';
import { SiteSampler } from '../base/site-sampler.js';
import { deliver, type FlowMark, FlowWatch } from './flow-watch.js';
import type { Slot } from './slot.js';

export interface LeakWatchOptions {
  /** A lease out for longer than this is reported. Default 60,000; null: never. */
  readonly thresholdMs?: number | null;
  /**
   * How many acquires a second are watched closely: stack kept, garbage collection noticed, nested acquires
   * noticed. Below it every one is; above it an even sample. Default 1,000, about 1 % of a core.
   */
  readonly samplesPerSecond?: number;
}

/** From when on a lease is a leak where nobody says otherwise. */
export const DEFAULT_LEAK_MS = 60_000;

/** A site where leases stay out past the threshold; the lease named is the oldest of those just found. */
export interface LeakReport {
  readonly pool: string;
  /** Call site of the acquire: `file:line:column`; null where it was not sampled. */
  readonly site: string | null;
  readonly stack: string | null;
  readonly leaseId: number;
  readonly ageMs: number;
  /** How many leases of this site have passed the threshold so far, this one included. */
  readonly count: number;
}

/** Facts about an acquire that is watched closely. */
export interface WatchedAcquire {
  /** Holds the stack of the call, unformatted. */
  readonly site: Error;
  /** Left in the calling flow, to be told when the lease arrives; null while flows are not followed. */
  readonly mark: FlowMark | null;
  /** A lease of the same pool that the calling flow seems to hold already. */
  nestedIn: FlowMark | null;
  /** It was waiting for that, beyond reasonable doubt. */
  nestedReported: boolean;
}

/** The result of a look at the leases that are out. */
export interface LeakSweep {
  /** Leases that have passed the threshold since the last look. */
  readonly leaked: number;
  /** Sites to tell of now. */
  readonly reports: readonly LeakReport[];
  /** When the next lease will have passed it. */
  readonly nextAt: number;
}

/** Leases of one site that have passed the threshold, and how many of them the last report told of. */
interface SiteLeaks {
  leaked: number;
  told: number;
}

/** Decides which acquires are watched closely, and remembers what became of them. */
export class LeakWatch<R> {
  readonly thresholdMs: number | null;
  readonly flows = new FlowWatch();
  readonly #pool: string;
  readonly #sampler: SiteSampler;
  readonly #reclaim: (slot: Slot<R>, leaseId: number) => void;
  readonly #sites = new Map<string, SiteLeaks>();
  readonly #registry: FinalizationRegistry<{ slot: Slot<R>; leaseId: number }>;

  constructor(pool: string, options: LeakWatchOptions, reclaim: (slot: Slot<R>, leaseId: number) => void) {
    this.#pool = pool;
    this.thresholdMs = options.thresholdMs === undefined ? DEFAULT_LEAK_MS : options.thresholdMs;
    this.#sampler = new SiteSampler(options.samplesPerSecond ?? 1000, () => this.flows.rest());
    this.#reclaim = reclaim;
    this.#registry = new FinalizationRegistry((held) => {
      // A lease that was released properly is forgotten here, which is cheaper than to unregister it each time.
      if (held.slot.leaseId === held.leaseId) this.#reclaim(held.slot, held.leaseId);
    });
  }

  /**
   * Looks closely at an acquire if its turn has come, else answers null. Called synchronously from the acquire: its
   * caller is the site.
   */
  watch(now: number, acquire: (...args: never[]) => unknown): WatchedAcquire | null {
    if (!this.#sampler.turn(now)) return null;
    const site = this.capture(acquire);
    if (!this.#sampler.seesAll) return { site, mark: null, nestedIn: null, nestedReported: false };
    // Flows are followed only while every acquire is watched: a sample of them would prove nothing.
    const nestedIn = this.flows.held();
    return { site, mark: this.flows.mark(site), nestedIn, nestedReported: false };
  }

  /** Remembers where the caller of `above` was called from. Formatted only if it is ever reported. */
  capture(above: (...args: never[]) => unknown): Error {
    return captureSite(above);
  }

  /** The lease of a watched acquire begins. The slot is reclaimed if the handle is garbage-collected before it ends. */
  begin(watched: WatchedAcquire, handle: object, slot: Slot<R>): void {
    slot.site = watched.site;
    this.#registry.register(handle, { slot, leaseId: slot.leaseId });
    if (watched.mark !== null) deliver(watched.mark, slot);
  }

  /**
   * Finds the leases, given oldest first, that have passed the threshold, and the sites to report. A site is
   * reported once for all leases found together, and again when their number has doubled. A line that leaks all day
   * is therefore reported about ten times.
   */
  sweep(holders: readonly Slot<R>[], now: number): LeakSweep {
    const { thresholdMs } = this;
    this.#sampler.rested(now);
    const reports: LeakReport[] = [];
    const oldestBySite = new Map<SiteLeaks, Slot<R>>();
    let leaked = 0;
    let nextAt = Number.POSITIVE_INFINITY;
    for (const slot of thresholdMs === null ? [] : holders) {
      if (now - slot.acquiredAt < thresholdMs!) {
        nextAt = slot.acquiredAt + thresholdMs!;
        break;
      }
      if (slot.reported) continue;
      slot.reported = true;
      leaked++;
      const site = this.#leaksAt(slot);
      site.leaked++;
      if (!oldestBySite.has(site)) oldestBySite.set(site, slot);
    }
    for (const [site, oldest] of oldestBySite) {
      if (site.leaked < 2 * site.told) continue;
      site.told = site.leaked;
      reports.push(this.describe(oldest, now));
    }
    return { leaked, reports, nextAt };
  }

  describe(slot: Slot<R>, now: number): LeakReport {
    return {
      pool: this.#pool,
      site: formatSite(slot.site),
      stack: formatStack(slot.site),
      leaseId: slot.leaseId,
      ageMs: now - slot.acquiredAt,
      count: this.#leaksAt(slot).leaked,
    };
  }

  #leaksAt(slot: Slot<R>): SiteLeaks {
    const key = formatSite(slot.site) ?? '';
    let site = this.#sites.get(key);
    if (site === undefined) {
      site = { leaked: 0, told: 0 };
      this.#sites.set(key, site);
    }
    return site;
  }
}
