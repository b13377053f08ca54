import type { Contract, Order, OrderStatus } from '../contracts.js';
import type { IbError } from '../errors.js';
import type {
  Commission,
  CompletedOrder,
  Fill,
  OpenOrder,
  OrderEvent,
  OrderMessage,
  OrderResult,
  OrderState,
} from './types.js';
import { executionKey, type WireStatus } from './wire.js';

const OVER: ReadonlySet<OrderState> = new Set(['filled', 'cancelled', 'rejected', 'not-sent']);

export function isOver(state: OrderState): boolean {
  return OVER.has(state);
}

/** Words of the gateway for an order that is over. */
export function endOf(word: string): 'filled' | 'cancelled' | null {
  if (word === 'Filled') return 'filled';
  return word === 'Cancelled' || word === 'ApiCancelled' ? 'cancelled' : null;
}

/**
 * One order as the gateway's messages make it, without anything that waits or sends. It takes them in any order, more
 * than once, and late: what ended an order is not undone by a message from before, and a fill always counts.
 */
export class OrderRecord {
  readonly orderId: number;
  readonly clientId: number;
  readonly orderRef: string;
  readonly contract: Contract;
  permId: number | null = null;
  state: OrderState = 'new';
  /** As it was sent last, or as the gateway lists it. */
  order: Order;
  /** All that this process sent of it, and was not refused; null for an order of another. */
  sent: Order | null = null;
  /** Why it was refused, or not sent. */
  reason: IbError | null = null;
  /** Why its state is unknown, and what settles it. */
  doubt: { readonly reason: IbError; readonly settledBy: string } | null = null;
  /** When it was written to the gateway; null for an order that another process placed. */
  sentAt: number | null = null;
  /** A code that is in no table: the order is refused if the gateway has no trace of it. */
  unclear: IbError | null = null;
  /** The last look at the gateway's lists that found it. */
  foundIn = 0;
  readonly fills = new Map<string, Fill>();
  readonly messages: OrderMessage[] = [];
  readonly #emit: (event: OrderEvent) => void;
  #word: string | null = null;
  #filled: number | null = null;
  #remaining: number | null = null;
  #averageFillPrice: number | null = null;
  #lastFillPrice: number | null = null;
  #whyHeld: string | null = null;
  /** The gateway itself has said that it is over, as opposed to an error that says so. */
  #isEndConfirmed = false;
  #awaitsNumbers = false;
  /** The gateway has named it at least once: in a status, an open order, a fill, or a list. */
  isSeen = false;

  constructor(
    from: { orderId: number; clientId: number; orderRef: string; contract: Contract; order: Order },
    emit: (event: OrderEvent) => void,
  ) {
    this.orderId = from.orderId;
    this.clientId = from.clientId;
    this.orderRef = from.orderRef;
    this.contract = from.contract;
    this.order = from.order;
    this.#emit = emit;
  }

  get isOver(): boolean {
    return isOver(this.state);
  }

  /** The last report of the gateway. `status` is empty while there is none. */
  get status(): OrderStatus {
    return {
      orderId: this.orderId,
      status: this.#word ?? '',
      filled: this.#filled,
      remaining: this.#remaining,
      averageFillPrice: this.#averageFillPrice,
      lastFillPrice: this.#lastFillPrice,
      permId: this.permId,
      whyHeld: this.#whyHeld,
    };
  }

  get result(): OrderResult | null {
    const { state } = this;
    if (this.#awaitsNumbers) return null;
    if (state !== 'filled' && state !== 'cancelled' && state !== 'rejected' && state !== 'not-sent')
      return null;
    const fills = [...this.fills.values()];
    const amounts = fills.map(({ commission }) => commission?.amount ?? null);
    const known = amounts.filter((amount) => amount !== null);
    return {
      state,
      filled: this.#filled,
      remaining: this.#remaining,
      averageFillPrice: this.#averageFillPrice,
      fills,
      commission:
        fills.length > 0 && known.length === amounts.length ? known.reduce((sum, one) => sum + one, 0) : null,
      reason: state === 'rejected' || state === 'not-sent' ? this.reason : null,
    };
  }

  /** Whether nothing more is to come: all that was filled has its executions, and they their commissions. */
  get isComplete(): boolean {
    if (!this.isOver || this.#awaitsNumbers) return false;
    const fills = [...this.fills.values()];
    return (
      this.#filledBy(fills) >= (this.#filled ?? 0) && fills.every(({ commission }) => commission !== null)
    );
  }

  written(at: number): void {
    this.sentAt = at;
    if (this.state === 'new') this.#enter(this.order.transmit === false ? 'held' : 'sent');
  }

  hearStatus(said: WireStatus): void {
    this.#see(said.permId);
    const end = endOf(said.status);
    // A message from before the end that comes late, or again.
    if (this.#isStale(said.status) || (end === null && (said.filled ?? 0) < (this.#filled ?? 0))) return;
    this.#word = said.status;
    this.#awaitsNumbers = false;
    this.#filled = most(this.#filled, said.filled);
    this.#remaining = said.remaining ?? this.#remaining;
    this.#averageFillPrice = said.averageFillPrice ?? this.#averageFillPrice;
    this.#lastFillPrice = said.lastFillPrice ?? this.#lastFillPrice;
    this.#whyHeld = said.whyHeld;
    this.#emit({ kind: 'status', status: this.status });
    const isFilled = said.remaining === 0 && (said.filled ?? 0) > 0 && end === null;
    this.#follow(isFilled ? 'Filled' : said.status);
  }

  hearOpen({ permId, order, status }: OpenOrder): void {
    this.#see(permId);
    if (this.#isStale(status)) return;
    if (endOf(status) === null) this.order = { ...this.order, ...defined(order) };
    if (status === '') return;
    this.#word = status;
    if (endOf(status) !== null && !this.isOver) this.#awaitsNumbers = true;
    this.#follow(status);
  }

  hearCompleted({ permId, status, completedStatus, filled }: CompletedOrder, refused: () => IbError): void {
    this.#see(permId);
    this.#awaitsNumbers = false;
    this.#filled = most(this.#filled, filled);
    const word = endOf(status) === null && /^filled/i.test(completedStatus ?? '') ? 'Filled' : status;
    if (!this.#isStale(word)) this.#word = word;
    const end = endOf(word);
    if (end !== null) this.#follow(word);
    // Completed, and neither filled nor canceled: an order that was turned down.
    else this.refused(this.reason ?? refused(), true);
  }

  /** `null`: known already. A fill counts whatever the state is. */
  hearFill(fill: Fill): 'new' | 'correction' | null {
    this.#see(fill.permId);
    const key = executionKey(fill.execId);
    const known = this.fills.get(key);
    if (known !== undefined && known.execId >= fill.execId) return null;
    this.fills.set(key, { ...fill, commission: known?.execId === fill.execId ? known.commission : null });
    this.#emit({ kind: 'fill', fill: this.fills.get(key) ?? fill, isCorrection: known !== undefined });
    this.#count(fill);
    return known === undefined ? 'new' : 'correction';
  }

  hearCommission(commission: Commission): void {
    const key = executionKey(commission.execId);
    const fill = this.fills.get(key);
    if (fill === undefined || fill.execId !== commission.execId) return;
    if (fill.commission !== null && fill.commission.amount === commission.amount) return;
    this.fills.set(key, { ...fill, commission });
    this.#emit({ kind: 'commission', commission });
  }

  say(message: OrderMessage): void {
    this.messages.push(message);
    this.#emit({ kind: 'message', message });
  }

  /** `isConfirmed`: a list of the gateway says so, too. */
  refused(reason: IbError, isConfirmed = false): void {
    if (this.isOver) return;
    this.reason = reason;
    // The error ends an order that the gateway has shown before. One that it never showed may still turn up.
    this.#isEndConfirmed = isConfirmed || this.isSeen;
    this.#enter('rejected');
  }

  /** By an error that says so and has no figures: those come with the status, usually before it. */
  canceled(): void {
    if (this.isOver) return;
    this.#isEndConfirmed = true;
    this.#awaitsNumbers = true;
    this.#word ??= 'Cancelled';
    if (endOf(this.#word) === null) this.#word = 'Cancelled';
    this.#enter('cancelled');
  }

  notSent(reason: IbError): void {
    if (this.isOver) return;
    this.reason = reason;
    this.#enter('not-sent');
  }

  lost(reason: IbError, settledBy: string): void {
    if (this.isOver) return;
    this.doubt = { reason: this.doubt?.reason ?? reason, settledBy };
    this.#enter('unknown');
  }

  /** It is over, and the status with its last figures has not come. */
  get awaitsNumbers(): boolean {
    return this.#awaitsNumbers;
  }

  /** Gives up on that status. */
  forgoNumbers(): void {
    this.#awaitsNumbers = false;
  }

  #see(permId: number | null): void {
    this.isSeen = true;
    this.unclear = null;
    this.permId ??= permId;
  }

  /** Filled beats everything; beyond that, the first end that the gateway confirms stays. */
  #isStale(word: string): boolean {
    if (!this.isOver || word === 'Filled') return false;
    if (!this.#isEndConfirmed) return false;
    return this.state === 'filled' || endOf(word) === null;
  }

  #follow(word: string): void {
    const end = endOf(word);
    if (end === 'filled') this.#end('filled');
    else if (end === 'cancelled') this.#end(this.reason === null ? 'cancelled' : 'rejected');
    else if (word === 'Inactive') {
      if (this.reason !== null) this.#end('rejected');
      else this.#live('inactive');
    } else this.#live((this.#filled ?? 0) > 0 ? 'partly-filled' : 'working');
  }

  #live(state: 'working' | 'partly-filled' | 'inactive'): void {
    this.reason = null;
    this.#enter(state);
  }

  #end(state: 'filled' | 'cancelled' | 'rejected'): void {
    this.#isEndConfirmed = true;
    if (state === 'filled') this.reason = null;
    this.#enter(state);
  }

  #count(fill: Fill): void {
    const fills = [...this.fills.values()];
    const executed = this.#filledBy(fills);
    if (executed > (this.#filled ?? 0)) {
      this.#filled = executed;
      this.#averageFillPrice = fill.averagePrice ?? this.#averageFillPrice;
      this.#lastFillPrice = fill.price;
      // The last figure for the rest is older than this fill.
      this.#remaining = null;
    }
    const total = Number(this.order.totalQuantity);
    if (total > 0 && (this.#filled ?? 0) >= total) {
      this.#word = 'Filled';
      if (!this.isOver) this.#awaitsNumbers = true;
      this.#end('filled');
    } else if (!this.isOver || !this.#isEndConfirmed) {
      this.#word ??= 'Submitted';
      this.#live('partly-filled');
    }
  }

  /** The gateway reports a combination as a whole and leg by leg: only the whole counts. */
  #filledBy(fills: readonly Fill[]): number {
    const isCombo = this.contract.secType === 'BAG';
    return fills
      .filter(({ contract }) => !isCombo || contract.secType === 'BAG')
      .reduce((sum, { quantity }) => sum + quantity, 0);
  }

  #enter(state: OrderState): void {
    if (this.state === state) return;
    const before = this.state;
    this.state = state;
    if (state !== 'unknown') this.doubt = null;
    this.#emit({ kind: 'state', state, before });
  }
}

function most(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

/** Without what the gateway did not say, so that it does not hide what was sent. */
function defined(order: Order): Order {
  return Object.fromEntries(Object.entries(order).filter(([, value]) => value !== undefined && value !== ''));
}
