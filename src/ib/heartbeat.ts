import type { Clock, Timer } from '../base/clock.js';
import type { Link } from './link.js';

/** A thread that does not come back to its loop for so long is taken for dead, however much it has to decode. */
const LONGEST_STALL_MS = 120_000;

/**
 * Events that only come because something was asked. Ticks, the state of orders and notices do not count: some gateways
 * go on to send those, and answer nothing any more until they are restarted.
 */
const ANSWERS = new Set([
  'currentTime',
  'nextValidId',
  'contractDetails',
  'bondContractDetails',
  'contractDetailsEnd',
  'historicalData',
  'historicalTicks',
  'historicalTicksBidAsk',
  'historicalTicksLast',
  'headTimestamp',
  'histogramData',
  'symbolSamples',
  'scannerDataEnd',
  'securityDefinitionOptionParameter',
  'securityDefinitionOptionParameterEnd',
  'accountDownloadEnd',
  'accountSummaryEnd',
  'positionEnd',
  'openOrderEnd',
  'execDetailsEnd',
  'completedOrder',
  'completedOrdersEnd',
]);

interface HeartbeatOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Sends a request for the time; `sent` is called when it is on its way. */
  readonly ask: (sent: () => void) => void;
  /** The gateway is dead. How long ago it answered anything, and said anything at all. */
  readonly missed: (answeredAgoMs: number, heardAgoMs: number) => void;
}

/** Asks for the time when nothing was answered for a while, and reports a gateway that does not answer that. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #clock: Clock;
  #link: Link | null = null;
  #timer: Timer | null = null;
  #heardAt = 0;
  #answeredAt = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  start(link: Link): void {
    this.#link = link;
    this.#heardAt = this.#clock.now();
    this.#answeredAt = this.#heardAt;
    this.#watch();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#link = null;
  }

  hear(event: string): void {
    this.#heardAt = this.#clock.now();
    if (ANSWERS.has(event)) this.#answeredAt = this.#heardAt;
  }

  /** Waits until nothing has been answered for the interval, then asks. */
  #watch(): void {
    const { intervalMs } = this.#options;
    const silentMs = this.#clock.now() - this.#answeredAt;
    this.#timer = this.#clock.setTimer(() => {
      if (this.#clock.now() - this.#answeredAt < intervalMs) this.#watch();
      else this.#ask();
    }, intervalMs - silentMs);
  }

  #ask(): void {
    const link = this.#link;
    const { timeoutMs } = this.#options;
    this.#options.ask(() => {
      if (this.#link !== link || link === null) return;
      const askedAt = this.#clock.now();
      const isAnswered = (): boolean => this.#answeredAt >= askedAt;
      const wait = (forMs: number): void => {
        const dueAt = this.#clock.now() + forMs;
        this.#timer = this.#clock.setTimer(() => {
          if (this.#link !== link) return;
          if (isAnswered()) {
            this.#watch();
            return;
          }
          const lateMs = this.#clock.now() - dueAt;
          // The answer may be here and unread, if it is this process that stood still: its loop, or that of the
          // thread which decodes. So look once more when all that has arrived was heard.
          this.#timer = this.#clock.setTimer(() => this.#missed(link), LONGEST_STALL_MS);
          link.afterArrived(() => {
            if (this.#link !== link) return;
            this.#timer?.cancel();
            if (isAnswered()) this.#watch();
            // While it stood still, the gateway had no chance: it gets that time again, once.
            else if (lateMs > timeoutMs / 2 && forMs === timeoutMs) {
              wait(Math.min(lateMs, timeoutMs - 1));
            } else this.#missed(link);
          });
        }, forMs);
      };
      wait(timeoutMs);
    });
  }

  #missed(link: Link): void {
    if (this.#link !== link) return;
    const now = this.#clock.now();
    this.#options.missed(now - this.#answeredAt, now - this.#heardAt);
  }
}
