import { Deque } from '../base/deque.js';
import type { Breaker } from './breaker.js';
import type { Protocol } from './events.js';
import type { PooledConnection } from './pooled-connection.js';
import type { RateGate } from './rate-limit.js';
import type { Waiter } from './waiter.js';

/** All that a pool keeps of one scheme, host and port. */
export class Origin {
  readonly url: URL;
  readonly key: string;
  readonly breaker: Breaker | null;
  readonly gate: RateGate | null;
  /** Idle connections, the one used last at the end. */
  readonly idle: PooledConnection[] = [];
  /** HTTP/2 connections that may take more streams, idle ones too. */
  readonly shared: PooledConnection[] = [];
  readonly connections = new Set<PooledConnection>();
  readonly waiters = new Deque<Waiter>();
  waiting = 0;
  /** Connections being opened. */
  readonly dials = new Set<() => void>();
  /** Connections that are being closed so that it can have their places. */
  promised = 0;
  /** What its servers speak; null before the first connection. */
  protocol: Protocol | null = null;
  /** By the clock: when it was last asked for. */
  usedAt = 0;

  constructor(url: URL, breaker: Breaker | null, gate: RateGate | null) {
    this.url = url;
    this.key = url.origin;
    this.breaker = breaker;
    this.gate = gate;
  }

  /** Places that it takes up. */
  get live(): number {
    return this.connections.size + this.dials.size + this.promised;
  }

  /** The one that has waited longest. */
  firstWaiter(): Waiter | null {
    for (;;) {
      const waiter = this.waiters.shift();
      if (waiter === undefined) return null;
      if (waiter.gone) continue;
      this.waiters.unshift(waiter);
      return waiter;
    }
  }

  /** Nothing is known of it that a new one would not know. */
  get forgettable(): boolean {
    return (
      this.live === 0 &&
      this.waiting === 0 &&
      (this.gate?.waiting ?? 0) === 0 &&
      (this.breaker === null || (this.breaker.state === 'closed' && this.breaker.failureShare === null))
    );
  }
}
