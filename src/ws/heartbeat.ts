import type { Clock, Timer } from '../base/clock.js';
import type { Heartbeat as HeartbeatRule, Outgoing } from './venue.js';

export interface HeartbeatOwner {
  readonly clock: Clock;
  ping(): void;
  send(frame: Outgoing): void;
  /** The peer is dead. */
  dead(why: string): void;
}

/** Whether the peer of one socket is alive. Any frame shows it. */
export class Heartbeat {
  readonly #owner: HeartbeatOwner;
  #timer: Timer | null = null;
  #heardAt: number;
  #askedAt: number | null = null;
  #rttMs: number | null = null;
  #isOver = false;

  constructor(owner: HeartbeatOwner, rule: HeartbeatRule) {
    this.#owner = owner;
    this.#heardAt = owner.clock.now();
    if (rule.kind === 'server') this.#watch(rule.silentMs);
    else this.#askLater(rule, rule.everyMs);
  }

  /** From the last question to its answer; null before the first. */
  get rttMs(): number | null {
    return this.#rttMs;
  }

  heard(now: number): void {
    this.#heardAt = now;
  }

  /** Records the answer to the last ping. */
  answered(now: number): void {
    if (this.#askedAt !== null) this.#rttMs = now - this.#askedAt;
    this.#askedAt = null;
  }

  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #later(callback: () => void, ms: number): void {
    this.#timer = this.#owner.clock.setTimer(callback, ms, { background: true });
  }

  /** If the event loop was blocked, data may lie unread. */
  #onceRead(callback: () => void): void {
    this.#owner.clock.defer(() => {
      if (!this.#isOver) callback();
    });
  }

  #watch(silentMs: number): void {
    const leftMs = this.#heardAt + silentMs - this.#owner.clock.now();
    const look = (): void => {
      const isSilent = this.#owner.clock.now() - this.#heardAt >= silentMs;
      if (isSilent) this.#owner.dead(`sent nothing for ${silentMs} ms`);
      else this.#watch(silentMs);
    };
    this.#later(() => this.#onceRead(look), Math.max(1, leftMs));
  }

  #askLater(rule: Exclude<HeartbeatRule, { kind: 'server' }>, ms: number): void {
    this.#later(() => this.#ask(rule), ms);
  }

  #ask(rule: Exclude<HeartbeatRule, { kind: 'server' }>): void {
    const now = this.#owner.clock.now();
    if (rule.kind === 'message' && rule.whenSilent) {
      const dueAt = this.#heardAt + rule.everyMs;
      if (dueAt > now) {
        this.#askLater(rule, dueAt - now);
        return;
      }
    }
    this.#askedAt = now;
    // It does not wait for its turn: a busy connection may be half-open as well.
    if (rule.kind === 'frame') this.#owner.ping();
    else this.#owner.send(rule.make());
    this.#awaitAnswer(rule, now);
  }

  #awaitAnswer(rule: Exclude<HeartbeatRule, { kind: 'server' }>, askedAt: number): void {
    const { clock } = this.#owner;
    const look = (): void => {
      const sinceMs = clock.now() - askedAt;
      if (this.#heardAt >= askedAt) this.#askLater(rule, Math.max(0, rule.everyMs - sinceMs));
      else if (sinceMs < rule.answerMs) this.#awaitAnswer(rule, askedAt);
      else this.#owner.dead(`did not answer a ping within ${rule.answerMs} ms`);
    };
    const leftMs = Math.max(1, askedAt + rule.answerMs - clock.now());
    this.#later(() => this.#onceRead(look), Math.min(leftMs, Math.max(1, rule.everyMs)));
  }
}
