import type { Emitter } from '../base/emitter.js';
import type { FeedError } from './errors.js';
import type { FeedEvents } from './events.js';

/** The counters of a pool. Most of them listen to events, as any user could. */
export class PoolCounts {
  openFailed = 0;
  replaced = 0;
  live = 0;
  asked = 0;
  strays = 0;
  duplicates = 0;
  notUnderstood = 0;
  exhausted = 0;
  refused = 0;
  gaps = 0;
  holes = 0;
  stale = 0;
  rotations = 0;
  slow = 0;
  aborted = 0;
  timedOut = 0;
  /** Counts of closed subscribers. */
  conflated = 0;
  dropped = 0;
  /** Counts of closed connections. */
  readonly retired = { opened: 0, ended: 0, repeated: 0, messages: 0, ticks: 0, bytes: 0 };
  lastError: FeedError | null = null;

  constructor(events: Emitter<FeedEvents>) {
    events.on('open', () => {
      this.lastError = null;
    });
    events.on('connectFailed', ({ error }) => {
      this.openFailed++;
      this.lastError = error;
    });
    events.on('lost', ({ cause, error }) => {
      if (cause !== 'closed' && cause !== 'rotation') this.replaced++;
      this.lastError = error;
    });
    events.on('gap', () => void this.gaps++);
    events.on('hole', () => void this.holes++);
    events.on('stale', () => void this.stale++);
    events.on('moved', () => void this.rotations++);
    events.on('notUnderstood', () => void this.notUnderstood++);
  }
}
