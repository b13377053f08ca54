import type { Timer } from '../base/clock.js';
import type { FeedConnection } from './connection.js';
import type { FeedSettings } from './options.js';
import type { Hold, Subscription } from './subscription.js';
import type { Position, Seq, SnapshotRequest } from './venue.js';

export interface SnapshotOwner {
  readonly settings: FeedSettings;
  /** Gives a tick to the subscribers, after its number was checked. */
  deliver(subscription: Subscription, data: unknown, at: Position | undefined, now: number): void;
  hole(connection: FeedConnection, symbols: readonly string[], detail: string): void;
}

interface Job {
  readonly connection: FeedConnection;
  readonly subscriptions: readonly Subscription[];
  readonly why: SnapshotRequest['why'];
  readonly attempt: number;
}

const AT_ONCE = 4;
const TICKS_MOST = 1000;
const BYTES_MOST = 8 * 2 ** 20;
const ATTEMPTS = 5;
const RETRY_MS = 1000;

/**
 * Fetches snapshots through the venue's hook, and holds the ticks of their topics meanwhile: what a snapshot has already
 * is dropped, what follows it is given on. A socket that ends takes its holds with it: the gap is reported anyway.
 */
export class Snapshots {
  readonly #owner: SnapshotOwner;
  readonly #waiting: Job[] = [];
  readonly #timers = new Set<Timer>();
  #running = 0;
  #bytes = 0;
  #isOver = false;

  constructor(owner: SnapshotOwner) {
    this.#owner = owner;
  }

  /** Asks for snapshots of topics that are live on this connection. */
  request(
    connection: FeedConnection,
    subscriptions: readonly Subscription[],
    why: SnapshotRequest['why'],
    attempt = 1,
  ): void {
    if (this.#owner.settings.venue.snapshot === undefined || this.#isOver) return;
    const asked = subscriptions.filter(({ hold }) => hold === null);
    if (asked.length === 0) return;
    const job: Job = { connection, subscriptions: asked, why, attempt };
    for (const each of asked) each.hold = { job, ticks: [], bytes: 0, overflowed: false };
    this.#waiting.push(job);
    this.#pump();
  }

  /** Keeps a tick of a topic that waits for its snapshot. */
  hold(
    subscription: Subscription,
    connection: FeedConnection,
    tick: Hold['ticks'][number],
    bytes: number,
  ): void {
    const { hold } = subscription;
    if (hold === null || hold.overflowed) return;
    if (hold.ticks.length >= TICKS_MOST || this.#bytes + bytes > BYTES_MOST) {
      this.#bytes -= hold.bytes;
      hold.ticks = [];
      hold.bytes = 0;
      hold.overflowed = true;
      this.#owner.hole(connection, [subscription.symbol], 'too many ticks came before the snapshot');
      return;
    }
    hold.ticks.push(tick);
    hold.bytes += bytes;
    this.#bytes += bytes;
  }

  /** Lets go of what is held for a topic. */
  forget(subscription: Subscription): void {
    this.#bytes -= subscription.hold?.bytes ?? 0;
    subscription.hold = null;
  }

  close(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
  }

  #pump(): void {
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      this.#running++;
      void this.#run(job).finally(() => {
        this.#running--;
        this.#pump();
      });
    }
  }

  #next(): Job | undefined {
    return this.#running < AT_ONCE && !this.#isOver ? this.#waiting.shift() : undefined;
  }

  async #run(job: Job): Promise<void> {
    const { connection, subscriptions, why } = job;
    const { line } = connection;
    const mine = subscriptions.filter(({ hold }) => hold?.job === job);
    if (line === null || line.signal.aborted || mine.length === 0) {
      for (const each of mine) this.forget(each);
      return;
    }
    const { signal } = line;
    const symbols = mine.map(({ symbol }) => symbol);
    let problem: unknown = null;
    try {
      await this.#owner.settings.venue.snapshot?.({
        symbols,
        why,
        signal,
        deliver: (symbol, data, seq) => this.#deliver(job, symbol, data, seq),
        send: (frame) => line.send([frame]),
      });
    } catch (error) {
      problem = error;
    }
    const left = mine.filter(({ hold }) => hold?.job === job);
    if (signal.aborted || this.#isOver) for (const each of left) this.forget(each);
    else if (left.length > 0) this.#again(job, left, problem);
  }

  #deliver(job: Job, symbol: string, data: unknown, seq: Seq | null): void {
    const subscription = job.subscriptions.find((each) => each.symbol === symbol && each.hold?.job === job);
    const hold = subscription?.hold ?? null;
    if (subscription === undefined || hold === null || hold.overflowed) return;
    this.forget(subscription);
    const { clock } = this.#owner.settings;
    this.#owner.deliver(subscription, data, { seq, snapshot: true }, clock.now());
    this.#flush(job, subscription, hold, seq);
  }

  #flush(job: Job, subscription: Subscription, hold: Hold, seq: Seq | null): void {
    for (const { data, at, now } of hold.ticks) {
      // A hole among them asks for another snapshot: the rest waits for that.
      if (subscription.hold !== null) {
        this.hold(subscription, job.connection, { data, at, now }, 0);
        continue;
      }
      const isOld = seq !== null && at?.seq !== undefined && at.seq !== null && at.seq <= seq;
      if (!isOld) this.#owner.deliver(subscription, data, at, now);
    }
  }

  /** Topics without a snapshot. */
  #again(job: Job, left: readonly Subscription[], problem: unknown): void {
    const { clock } = this.#owner.settings;
    const overflowed = left.filter(({ hold }) => hold?.overflowed);
    const again = problem === null ? overflowed : left;
    for (const each of left.filter((one) => !again.includes(one))) this.#giveUp(job, each);
    if (again.length === 0) return;
    if (job.attempt >= ATTEMPTS) {
      for (const each of again) this.#giveUp(job, each);
      const why = problem instanceof Error ? problem.message : 'too many ticks came before them';
      this.#owner.hole(
        job.connection,
        again.map(({ symbol }) => symbol),
        `no snapshot after ${ATTEMPTS} requests: ${why}`,
      );
      return;
    }
    const timer = clock.setTimer(
      () => {
        this.#timers.delete(timer);
        const mine = again.filter(({ hold }) => hold?.job === job);
        for (const each of mine) {
          this.forget(each);
          each.guard = null;
        }
        this.request(job.connection, mine, 'hole', job.attempt + 1);
      },
      RETRY_MS * 2 ** (job.attempt - 1),
      { background: true },
    );
    this.#timers.add(timer);
  }

  /** Its ticks are given on as they are. */
  #giveUp(job: Job, subscription: Subscription): void {
    const { hold } = subscription;
    this.forget(subscription);
    if (hold !== null) this.#flush(job, subscription, hold, null);
  }
}
