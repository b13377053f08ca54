import type { Clock } from '../../base/clock.js';
import { SlidingWindow } from './pacing.js';
import type { SubscriptionKind } from './subscriptions.js';

/** All that the gateway has seen since it was started, or since the counts were last cleared. Plain data. */
export interface GatewayCounts {
  readonly schema: 1;
  /** Milliseconds since the epoch. */
  readonly takenAtMs: number;
  readonly connections: {
    /** TCP connections accepted, in all. */
    readonly accepted: number;
    /** Open now, those that the gateway has not noticed to be dead included. */
    readonly open: number;
    readonly mostOpen: number;
    /** Closed because there were as many as there may be. */
    readonly overCap: number;
    /** Ended by the other side, and by the gateway. */
    readonly endedByClient: number;
    readonly endedByGateway: number;
  };
  readonly clients: {
    /** The ids of the clients that are ready, in ascending order. */
    readonly ids: readonly number[];
    /** The most that were ready at once. */
    readonly mostAtOnce: number;
    /** How often each id became ready. */
    readonly readyById: Readonly<Record<string, number>>;
    /** Attempts with an id that was in use (error 326). */
    readonly duplicateIds: number;
    /** How often each version was agreed on. */
    readonly byVersion: Readonly<Record<string, number>>;
  };
  readonly messages: {
    readonly received: number;
    readonly sent: number;
    /** By what is asked: `history`, `marketData`, ... */
    readonly receivedByType: Readonly<Record<string, number>>;
    readonly sentByType: Readonly<Record<string, number>>;
    /** The most that came within any second from all clients together, START_API included. */
    readonly mostPerSecond: number;
    /** Came, and were not answered because of a fault. */
    readonly muted: number;
  };
  readonly bytes: { readonly received: number; readonly sent: number };
  /** Errors and notices sent, by code. */
  readonly errors: Readonly<Record<string, number>>;
  readonly history: {
    readonly requests: number;
    /** By what was asked for; what came after the first MOST_KEYS different ones is under `other`. */
    readonly byKey: Readonly<Record<string, number>>;
    readonly open: number;
    readonly mostOpen: number;
    /** Refused with code 162, by rule. */
    readonly refused: Readonly<Record<string, number>>;
  };
  readonly subscriptions: {
    readonly open: Readonly<Record<SubscriptionKind, number>>;
    readonly opened: number;
    /** Ended by the client, as they should be. */
    readonly canceled: number;
    /** Ended by the end of their connection. */
    readonly dropped: number;
    /** Forgotten by the gateway with a 1101. */
    readonly lost: number;
    readonly mostOpen: number;
  };
  readonly orders: {
    readonly placed: number;
    readonly canceled: number;
    /** Lost by a restart that came too soon behind them. */
    readonly lost: number;
    /** How often each was sent, by `clientId/orderId`; more than once is a replay or a change. */
    readonly byId: Readonly<Record<string, number>>;
  };
  /** Faults injected, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** Inputs that were no request, by reason. */
  readonly badInput: Readonly<Record<string, number>>;
}

/** More different keys than that are counted together: a client that makes up ever new ones must not fill the memory. */
const MOST_KEYS = 10_000;

/** Counters by word, bounded. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(key: string | number, by = 1): void {
    const text = String(key);
    const before = this.#counts.get(text);
    if (before === undefined && this.#counts.size >= MOST_KEYS) {
      this.#counts.set('other', (this.#counts.get('other') ?? 0) + by);
    } else this.#counts.set(text, (before ?? 0) + by);
  }

  get(key: string | number): number {
    return this.#counts.get(String(key)) ?? 0;
  }

  toRecord(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

/** Counts of events, taken where they happen. Counts of open things come from their holders, when they are read. */
export class Census {
  accepted = 0;
  mostOpen = 0;
  overCap = 0;
  endedByClient = 0;
  endedByGateway = 0;
  mostReady = 0;
  duplicateIds = 0;
  received = 0;
  sent = 0;
  muted = 0;
  bytesReceived = 0;
  bytesSent = 0;
  historyRequests = 0;
  mostHistoryOpen = 0;
  subscriptionsOpened = 0;
  subscriptionsCanceled = 0;
  subscriptionsDropped = 0;
  subscriptionsLost = 0;
  mostSubscriptions = 0;
  ordersPlaced = 0;
  ordersCanceled = 0;
  ordersLost = 0;
  readonly readyById = new Tally();
  readonly byVersion = new Tally();
  readonly receivedByType = new Tally();
  readonly sentByType = new Tally();
  readonly errors = new Tally();
  readonly historyByKey = new Tally();
  readonly historyRefused = new Tally();
  readonly ordersById = new Tally();
  readonly faults = new Tally();
  readonly badInput = new Tally();
  /** Limits look at it too: it goes on when the counts are begun anew. */
  readonly perSecond: SlidingWindow;

  constructor(perSecond = new SlidingWindow(1000)) {
    this.perSecond = perSecond;
  }
}

/** The things that are open now. */
export interface OpenNow {
  readonly connections: number;
  readonly readyIds: readonly number[];
  readonly history: number;
  readonly subscriptions: Readonly<Record<SubscriptionKind, number>>;
}

export function countsOf(census: Census, now: OpenNow, clock: Clock): GatewayCounts {
  return {
    schema: 1,
    takenAtMs: clock.wallTime(),
    connections: {
      accepted: census.accepted,
      open: now.connections,
      mostOpen: census.mostOpen,
      overCap: census.overCap,
      endedByClient: census.endedByClient,
      endedByGateway: census.endedByGateway,
    },
    clients: {
      ids: [...now.readyIds].sort((a, b) => a - b),
      mostAtOnce: census.mostReady,
      readyById: census.readyById.toRecord(),
      duplicateIds: census.duplicateIds,
      byVersion: census.byVersion.toRecord(),
    },
    messages: {
      received: census.received,
      sent: census.sent,
      receivedByType: census.receivedByType.toRecord(),
      sentByType: census.sentByType.toRecord(),
      mostPerSecond: census.perSecond.most,
      muted: census.muted,
    },
    bytes: { received: census.bytesReceived, sent: census.bytesSent },
    errors: census.errors.toRecord(),
    history: {
      requests: census.historyRequests,
      byKey: census.historyByKey.toRecord(),
      open: now.history,
      mostOpen: census.mostHistoryOpen,
      refused: census.historyRefused.toRecord(),
    },
    subscriptions: {
      open: now.subscriptions,
      opened: census.subscriptionsOpened,
      canceled: census.subscriptionsCanceled,
      dropped: census.subscriptionsDropped,
      lost: census.subscriptionsLost,
      mostOpen: census.mostSubscriptions,
    },
    orders: {
      placed: census.ordersPlaced,
      canceled: census.ordersCanceled,
      lost: census.ordersLost,
      byId: census.ordersById.toRecord(),
    },
    faults: census.faults.toRecord(),
    badInput: census.badInput.toRecord(),
  };
}
