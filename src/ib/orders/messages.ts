import type { Clock, Timer } from '../../base/clock.js';
import type { Signal } from '../../base/emitter.js';
import type { CodeVerdict } from '../code-types.js';
import type { CodeTable } from '../codes.js';
import type { Contract, Order } from '../contracts.js';
import { type IbError, requestError } from '../errors.js';
import type { Pacer } from '../pacing.js';
import type { OrderBook } from './book.js';
import type { OrderLife } from './handle.js';
import type { Reconciler } from './reconciler.js';
import { endOf, type OrderRecord } from './record.js';
import { type OpenOrder, OrderError } from './types.js';
import { type MessageKind, nameOf, type Waiter, type Waiters } from './waiters.js';
import { toCommission, toCompletedOrder, toFill, toOpenOrder, toStatus } from './wire.js';

interface OrderMessagesParts {
  readonly pacer: Pacer;
  readonly clock: Clock;
  readonly codes: CodeTable;
  readonly clientId: number;
  readonly book: OrderBook;
  readonly reconciler: Reconciler;
  readonly foreign: Signal<OpenOrder>;
  /** The prefix of references that an earlier process has given to orders; null: such orders are not adopted. */
  readonly recoversPrefix: string | null;
  /** Marks that order id as used. */
  readonly raise: (orderId: number) => void;
}

/** After an error that says nothing sure, the gateway has this long to show the order before it is asked. */
const UNCLEAR_MS = 1000;
/** After a 202, or the last execution, the status with its figures follows within that time, if at all. */
const NUMBERS_MS = 1000;
/** How long the iterator of an order goes on after its end, where executions or commissions are missing. */
const LINGER_MS = 5000;

/** Takes the gateway's messages about orders: finds the order, and the callers that wait for it. */
export class OrderMessages {
  readonly #parts: OrderMessagesParts;
  readonly #timers = new Set<Timer>();
  /** Orders that are over, whose last messages are awaited. */
  readonly #lingering = new Set<OrderRecord>();

  constructor(parts: OrderMessagesParts) {
    this.#parts = parts;
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  /** Whether it was about an order, and nobody else need hear it. */
  hear(event: string, args: readonly unknown[]): boolean {
    switch (event) {
      case 'orderStatus':
        this.#hearStatus(args);
        return false;
      case 'openOrder':
        this.#hearOpen(toOpenOrder(args));
        return false;
      case 'execDetails': {
        const fill = toFill(args);
        const entry = this.#parts.book.find(fill) ?? this.#recover(fill);
        if (entry === null) return false;
        this.#parts.book.named(entry, fill.permId);
        if (entry.life.record.hearFill(fill) !== null) entry.waiters.heard(entry.life.record, 'fill');
        this.#parts.book.expectCommission(entry, fill.execId);
        this.endIfComplete(entry.life);
        return false;
      }
      case 'commissionReport':
        this.#parts.book.hearCommission(toCommission(args));
        return false;
      case 'completedOrder':
        this.#hearCompleted(args);
        return false;
      case 'nextValidId':
        this.#parts.raise(Number(args[0]) - 1);
        return false;
      case 'error':
        return this.#hearError(args);
      default:
        return false;
    }
  }

  /** A refusal without an id: of a gateway that takes no orders at all. */
  hearInfo(code: number, text: string): void {
    const verdict = this.#parts.codes.classify(code, text);
    if (verdict.error !== 'ERR_IB_READ_ONLY') return;
    for (const { life, waiters } of this.#parts.book.lives) {
      for (let waiter = waiters.refused(['place', 'modify', 'cancel']); waiter !== null; ) {
        this.#refuse(life, waiter, code, text, verdict, null);
        const next = waiters.refused(['place', 'modify', 'cancel']);
        waiter = next === waiter ? null : next;
      }
    }
  }

  #hearStatus(args: readonly unknown[]): void {
    const said = toStatus(args);
    const entry = this.#parts.book.find({ ...said, orderRef: '' });
    if (entry === null) return;
    this.#parts.book.named(entry, said.permId);
    const { record } = entry.life;
    record.hearStatus(said);
    if (endOf(said.status) === null) record.foundIn = this.#parts.reconciler.look;
    entry.waiters.heard(record, 'status');
    this.endIfComplete(entry.life);
  }

  #hearOpen(open: OpenOrder): void {
    if (open.order.whatIf === true) return;
    let entry = this.#parts.book.find(open);
    if (entry === null) {
      const isOurs = open.clientId === null || open.clientId === this.#parts.clientId;
      if (!isOurs || open.orderId <= 0) {
        this.#parts.foreign.emit(open);
        return;
      }
      this.#parts.raise(open.orderId);
      const twin = this.#parts.book.byId(open.orderId)?.life.record ?? null;
      entry = this.#parts.book.adopt(open);
      if (twin !== null && !twin.isOver) sayTwin(twin, open);
    }
    this.#parts.book.named(entry, open.permId);
    const { record } = entry.life;
    record.hearOpen(open);
    if (endOf(open.status) === null) record.foundIn = this.#parts.reconciler.look;
    entry.waiters.heard(record, 'open');
    this.endIfComplete(entry.life);
  }

  #hearCompleted(args: readonly unknown[]): void {
    const completed = toCompletedOrder(args);
    const entry =
      this.#parts.book.find({ ...completed, orderId: null, clientId: null }) ?? this.#recover(completed);
    if (entry === null) return;
    const { record } = entry.life;
    this.#parts.book.named(entry, completed.permId);
    record.hearCompleted(completed, () => {
      const text = `order ${record.orderId}: ${completed.completedStatus ?? completed.status}`;
      return new OrderError('rejected', 'ERR_IB_ORDER_REJECTED', text);
    });
    entry.waiters.heard(record, 'status');
    this.endIfComplete(entry.life);
  }

  /** An order of an earlier process that its reference shows to be ours. */
  #recover({
    orderId = null,
    orderRef,
    contract,
    ...rest
  }: {
    readonly orderId?: number | null;
    readonly orderRef: string;
    readonly contract: Contract;
    readonly order?: Order;
    readonly clientId?: number | null;
  }): ReturnType<OrderBook['find']> {
    const isOurs = rest.clientId === undefined || rest.clientId === this.#parts.clientId;
    const prefix = this.#parts.recoversPrefix;
    if (prefix === null || !isOurs || !orderRef.startsWith(prefix)) return null;
    if (orderId !== null) this.#parts.raise(orderId);
    return this.#parts.book.adopt({ orderId: orderId ?? 0, orderRef, contract, order: rest.order ?? {} });
  }

  #hearError([text, ibCode, id, advancedReject]: readonly unknown[]): boolean {
    const entry = this.#parts.book.byId(Number(id));
    if (entry === null) return false;
    const { life, waiters } = entry;
    const { record } = life;
    const code = Number(ibCode);
    const verdict = this.#parts.codes.classify(code, String(text), ['order', 'modify', 'cancel']);
    const waiter = waiters.refused(kindsOf(verdict)) ?? parentIsGone(code, waiters);
    switch (verdict.class) {
      case 'notice':
      case 'advisory':
      case 'connection':
        this.#say(record, code, String(text), verdict, null, advancedReject);
        return true;
      case 'refusal':
        this.#refuse(life, waiter, code, String(text), verdict, advancedReject);
        return true;
      case 'ended':
        this.#end(life, waiter, code, String(text), verdict, advancedReject);
        return true;
      case 'pacing':
        this.#parts.pacer.backOff?.('all', UNCLEAR_MS);
        this.#unclear(
          record,
          requestError(code, String(text), nameOf('place', record.orderId, record.contract), verdict),
        );
        this.#say(record, code, String(text), verdict, null, advancedReject);
        return true;
      case 'fatal':
      case 'unknown': {
        const suspect = waiters.refused(['modify', 'cancel']);
        if (suspect !== null)
          this.#suspect(waiters, suspect, refusalError(record, suspect.kind, code, String(text), verdict));
        this.#unclear(
          record,
          requestError(code, String(text), nameOf('place', record.orderId, record.contract), verdict),
        );
        this.#say(record, code, String(text), verdict, null, advancedReject);
        return true;
      }
    }
  }

  /** A message had no effect. The order is over only if it was the one that placed it. */
  #refuse(
    { record }: OrderLife,
    waiter: Waiter | null,
    code: number,
    text: string,
    verdict: CodeVerdict,
    advanced: unknown,
  ): void {
    const kind = waiter?.kind ?? null;
    this.#say(record, code, text, verdict, kind, advanced);
    const error = refusalError(record, kind ?? 'place', code, text, verdict);
    // An id that was used before may be that of an order that lives.
    if (code === USED_ID && kind === 'place') this.#unclear(record, error);
    else if (kind === 'place' || (kind === null && mayRefuse(verdict, record))) record.refused(error);
    if (kind === null && !record.isSeen) this.#unclear(record, error);
    else if (kind === 'cancel' || kind === null) {
      // The order may be filled or gone, if the gateway refuses to cancel it.
      this.#later(UNCLEAR_MS, () => {
        if (!record.isOver) this.#parts.reconciler.start(false);
      });
    }
    if (!(code === USED_ID && kind === 'place')) waiter?.reject(error);
    // Nothing more comes of a cancellation of an order that was refused.
    if (record.isOver) this.#parts.book.entryOf(record).waiters.heard(record, 'status');
  }

  /** The broker has ended the order: rejected it (201), or canceled it, by request or not (202). */
  #end(
    life: OrderLife,
    waiter: Waiter | null,
    code: number,
    text: string,
    verdict: CodeVerdict,
    advanced: unknown,
  ): void {
    const { record } = life;
    const isCancel = verdict.appliesTo.includes('cancel');
    const kind = waiter?.kind ?? null;
    this.#say(record, code, text, verdict, isCancel ? null : kind, advanced);
    const error = refusalError(record, isCancel ? 'place' : (kind ?? 'place'), code, text, verdict);
    const entry = this.#parts.book.entryOf(record);
    if (isCancel) {
      // Unasked, and of an order that the gateway never showed, it is a refusal.
      if (!record.isSeen && entry.waiters.has('place') && !entry.waiters.has('cancel')) record.refused(error);
      else record.canceled();
      if (record.state === 'rejected') entry.waiters.rejectAll(() => error, ['place']);
      entry.waiters.heard(record, 'status');
    } else if (kind === 'modify') {
      // The order itself may go on: its state follows, or is asked for.
      waiter?.reject(error);
      this.#unclear(record, error);
    } else {
      record.refused(error);
      waiter?.reject(error);
      entry.waiters.heard(record, 'status');
    }
    this.endIfComplete(life);
  }

  /** Nothing sure is known of the order: it is asked for, unless it shows itself. */
  #unclear(record: OrderRecord, error: IbError): void {
    if (record.isOver) return;
    record.unclear = error;
    this.#later(UNCLEAR_MS, () => {
      if (record.unclear !== null) this.#parts.reconciler.start(false);
    });
  }

  /** A change or a cancellation may have been refused. That is so if the lists show the order as it was before. */
  #suspect(waiters: Waiters, waiter: Waiter, error: OrderError): void {
    this.#later(UNCLEAR_MS, () => {
      if (!waiters.includes(waiter)) return;
      waiter.suspicion = error;
      this.#parts.reconciler.start(false);
    });
  }

  #say(
    record: OrderRecord,
    ibCode: number,
    text: string,
    verdict: CodeVerdict,
    refused: MessageKind | null,
    advancedReject: unknown,
  ): void {
    const { hint } = verdict;
    record.say({ ibCode, text, class: verdict.class, hint, refused, advancedReject: advancedReject ?? null });
  }

  /** The look at the gateway's lists has decided on this one. */
  settled(record: OrderRecord): void {
    const entry = this.#parts.book.entryOf(record);
    const { reason } = record;
    if (record.state === 'rejected' && reason !== null) entry.waiters.rejectAll(() => reason, ['place']);
    entry.waiters.heard(record, 'status');
    this.endIfComplete(entry.life);
  }

  endIfComplete(life: OrderLife): void {
    const { record } = life;
    if (record.isComplete) life.end(null);
    if (!record.isOver || record.isComplete || this.#lingering.has(record)) return;
    const { awaitsNumbers } = record;
    this.#lingering.add(record);
    // The figures, executions and commissions of its end may come later, or not at all.
    this.#later(awaitsNumbers ? NUMBERS_MS : LINGER_MS, () => {
      this.#lingering.delete(record);
      if (!record.isOver) return;
      if (!awaitsNumbers) {
        life.end(null);
        return;
      }
      record.forgoNumbers();
      life.progress.emit(null);
      this.endIfComplete(life);
    });
  }

  #later(forMs: number, work: () => void): void {
    const ring = (): void => {
      this.#timers.delete(timer);
      work();
    };
    const timer = this.#parts.clock.setTimer(ring, forMs, { background: true });
    this.#timers.add(timer);
  }
}

const USED_ID = 103;
/** `Can't find order with id`: of the order itself, or of the parent that a new order names. */
const NO_SUCH_ORDER = 135;

/** The placement that names an order as its parent which is over. */
function parentIsGone(code: number, waiters: Waiters): Waiter | null {
  return code === NO_SUCH_ORDER ? waiters.refused(['place']) : null;
}

function kindsOf({ appliesTo }: CodeVerdict): readonly MessageKind[] {
  const kinds: MessageKind[] = [];
  if (appliesTo.length === 0 || appliesTo.includes('order')) kinds.push('place');
  if (appliesTo.length === 0 || appliesTo.includes('modify')) kinds.push('modify');
  if (appliesTo.length === 0 || appliesTo.includes('cancel')) kinds.push('cancel');
  return kinds;
}

/** The answer to a placement for which nobody waits any more. */
function mayRefuse(verdict: CodeVerdict, { isSeen, state }: OrderRecord): boolean {
  return kindsOf(verdict).includes('place') && !isSeen && (state === 'unknown' || state === 'held');
}

function refusalError(
  record: OrderRecord,
  kind: MessageKind,
  ibCode: number,
  text: string,
  { error, hint }: CodeVerdict,
): OrderError {
  const message = `${nameOf(kind, record.orderId, record.contract)}: ${text} (IB ${ibCode})`;
  return new OrderError('rejected', error, message, { ibCode, hint });
}

/** Seen at modifications while the gateway was cut off from IB: both are live, and have to be canceled. */
function sayTwin(record: OrderRecord, { permId, orderId }: OpenOrder): void {
  const text = `the gateway lists a second order under id ${orderId}: permId ${permId} beside ${record.permId}`;
  const hint = 'cancel both, and look at the fills of both';
  record.say({ ibCode: null, text, class: 'advisory', hint, refused: null, advancedReject: null });
}
