import type { Clock } from '../../base/clock.js';
import type { Line, Link } from '../../ib/link.js';
import type { IbSpread } from './types.js';

/** A range of what may have come to the gateway; both the same where nothing broke. */
export interface Range {
  least: number;
  most: number;
}

/** The gateway's count for a message of the client, and the event that shows that it arrived. */
const KINDS: Readonly<Record<string, readonly [kind: string, answer: string | null]>> = {
  reqCurrentTime: ['currentTime', 'currentTime'],
  reqContractDetails: ['contractDetails', 'contractDetailsEnd'],
  reqHistoricalData: ['history', 'historicalData'],
  cancelHistoricalData: ['cancelHistory', null],
  reqMktData: ['marketData', null],
  cancelMktData: ['cancelMarketData', null],
  reqPositions: ['positions', 'positionEnd'],
  cancelPositions: ['cancelPositions', null],
  reqAccountUpdates: ['accountUpdates', 'accountDownloadEnd'],
  placeOrder: ['placeOrder', 'orderStatus'],
  cancelOrder: ['cancelOrder', null],
  reqOpenOrders: ['openOrders', 'openOrderEnd'],
  reqAllOpenOrders: ['allOpenOrders', 'openOrderEnd'],
  reqExecutions: ['executions', 'execDetailsEnd'],
  reqCompletedOrders: ['completedOrders', 'completedOrdersEnd'],
  reqMarketDataType: ['marketDataType', null],
  reqGlobalCancel: ['globalCancel', null],
  reqIds: ['ids', null],
};
/** Told by the client library, not by the gateway. */
const isOwn = (code: number): boolean => code >= 500 && code < 600;

/** One connection attempt and what came of it. */
interface LinkRecord {
  readonly clientId: number;
  readonly dialledAt: number;
  tcp: boolean;
  version: boolean;
  accounts: boolean;
  order: boolean;
  refused: boolean;
  ended: boolean;
  readonly sent: Map<string, number>;
  readonly answered: Map<string, number>;
}

/**
 * Looks at everything that the pools of a run send and hear, from outside of them: their own counts are part of what
 * is tested.
 */
export class Meter {
  readonly tcpMs: number[] = [];
  readonly handshakeMs: number[] = [];
  readonly readyMs: number[] = [];
  readonly loadMs: number[] = [];
  /** When each message was sent. */
  readonly stamps: number[] = [];
  /** Errors and notices of the gateway, by code. */
  readonly codes = new Map<number, number>();
  /** Called with each method that is sent. */
  onSent: (method: string) => void = () => {};
  readonly #clock: Clock;
  readonly #links: LinkRecord[] = [];
  /** The client ids of the places that have not ended. */
  readonly #lines = new Set<{ clientId: number | null }>();
  #idsUnique = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Places of connections that have not ended. */
  get linesOpen(): number {
    return this.#lines.size;
  }

  /** Whether no two connections ever had the same client id at a time. */
  get idsUnique(): boolean {
    return this.#idsUnique;
  }

  get dials(): readonly number[] {
    return this.#links.map(({ dialledAt }) => dialledAt);
  }

  /** Attempts that were told that their client id is in use. */
  get collisions(): number {
    return this.#links.filter(({ refused }) => refused).length;
  }

  /** Whether a connection has ended: from then on not everything that was sent needs to have arrived. */
  get anyEnded(): boolean {
    return this.#links.some(({ ended }) => ended);
  }

  get clientIds(): readonly number[] {
    const ids = this.#links.filter(isReady).map(({ clientId }) => clientId);
    return [...new Set(ids)].sort((a, b) => a - b);
  }

  /** TCP connections. One that ended before the version came may not have been seen by the gateway. */
  connections(): Range {
    return range(
      this.#links,
      ({ version }) => version,
      ({ tcp, ended }) => tcp || ended,
    );
  }

  /** Sessions that were ready, of one client id. */
  sessions(clientId: number): Range {
    const own = this.#links.filter((link) => link.clientId === clientId);
    return range(own, isReady, (link) => isReady(link) || (link.version && link.ended && !link.refused));
  }

  duplicates(): Range {
    return range(
      this.#links,
      ({ refused }) => refused,
      (link) => link.refused || (link.version && link.ended && !isReady(link)),
    );
  }

  /** Messages by the word under which the gateway counts them. */
  messages(): ReadonlyMap<string, Range> {
    const all = new Map<string, Range>();
    const add = (kind: string, least: number, most: number): void => {
      const one = all.get(kind) ?? { least: 0, most: 0 };
      all.set(kind, { least: one.least + least, most: one.most + most });
    };
    for (const link of this.#links) {
      if (link.version) add('startApi', isReady(link) || link.refused ? 1 : 0, 1);
      for (const [kind, sent] of link.sent) {
        add(kind, link.ended ? Math.min(sent, link.answered.get(kind) ?? 0) : sent, sent);
      }
    }
    return all;
  }

  line(inner: Line): Line {
    const place: { clientId: number | null } = { clientId: null };
    this.#lines.add(place);
    let isLoaded = false;
    return {
      prepare: async () => {
        const since = this.#clock.now();
        await inner.prepare();
        if (!isLoaded) this.loadMs.push(this.#clock.now() - since);
        isLoaded = true;
      },
      open: (target, hear) => {
        const { clientId } = target;
        if ([...this.#lines].some((one) => one !== place && one.clientId === clientId)) {
          this.#idsUnique = false;
        }
        place.clientId = clientId;
        const link = this.#newLink(clientId);
        const opened = inner.open(target, (event, args) => {
          this.#hear(link, event, args);
          hear(event, args);
        });
        return this.#metered(link, opened);
      },
      end: async () => {
        await inner.end();
        this.#lines.delete(place);
      },
    };
  }

  #newLink(clientId: number): LinkRecord {
    const link: LinkRecord = {
      clientId,
      dialledAt: this.#clock.now(),
      tcp: false,
      version: false,
      accounts: false,
      order: false,
      refused: false,
      ended: false,
      sent: new Map(),
      answered: new Map(),
    };
    this.#links.push(link);
    return link;
  }

  #metered(link: LinkRecord, opened: Link): Link {
    return {
      call: (method, args) => {
        const [kind = method] = KINDS[method] ?? [];
        link.sent.set(kind, (link.sent.get(kind) ?? 0) + 1);
        this.stamps.push(this.#clock.now());
        const sending = opened.call(method, args);
        this.onSent(method);
        return sending;
      },
      afterArrived: (callback) => opened.afterArrived(callback),
      close: () => {
        link.ended = true;
        opened.close();
      },
    };
  }

  #hear(link: LinkRecord, event: string, args: readonly unknown[]): void {
    const since = this.#clock.now() - link.dialledAt;
    switch (event) {
      case 'tcp':
        link.tcp = true;
        this.tcpMs.push(since);
        return;
      case 'server':
        link.version = true;
        this.handshakeMs.push(since);
        return;
      case 'managedAccounts':
      case 'nextValidId': {
        const was = isReady(link);
        if (event === 'nextValidId') link.order = true;
        else link.accounts = true;
        if (!was && isReady(link)) this.readyMs.push(since);
        return;
      }
      case 'disconnected':
      case 'broken':
        link.ended = true;
        return;
      case 'info':
      case 'error': {
        const code = Number(args[1]);
        if (code === 326) link.refused = true;
        if (!isOwn(code)) this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
        return;
      }
      case 'historicalData':
        if (!String(args[1]).startsWith('finished')) return;
        break;
    }
    for (const [kind, answer] of Object.values(KINDS)) {
      if (answer === event) link.answered.set(kind, (link.answered.get(kind) ?? 0) + 1);
    }
  }
}

/** The most stamps in any window of that length, wherever it begins. Stamps are in order. */
export function peakWithin(stamps: readonly number[], windowMs: number): number {
  let most = 0;
  let from = 0;
  stamps.forEach((stamp, at) => {
    while ((stamps[from] as number) <= stamp - windowMs) from++;
    most = Math.max(most, at - from + 1);
  });
  return most;
}

/** null where there is nothing. */
export function spreadOf(durationsMs: readonly number[]): IbSpread | null {
  if (durationsMs.length === 0) return null;
  const sorted = [...durationsMs].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function isReady({ accounts, order }: LinkRecord): boolean {
  return accounts && order;
}

function range(
  links: readonly LinkRecord[],
  surely: (link: LinkRecord) => boolean,
  perhaps: (link: LinkRecord) => boolean,
): Range {
  return {
    least: links.filter(surely).length,
    most: links.filter((link) => surely(link) || perhaps(link)).length,
  };
}
