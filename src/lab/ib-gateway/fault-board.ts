import type { Random } from '../../base/random.js';
import type { Fault } from './faults.js';
import type { OutputFault } from './outbox.js';
import type { Request, RequestName } from './wire/request-types.js';

export type ErrorFault = Extract<Fault, { readonly kind: 'error' }>;

/** Faults that last for a while. They are looked up where they matter; all others happen once. */
export type LastingFault = Extract<
  Fault,
  {
    readonly kind:
      | 'slow-accept'
      | 'silent-handshake'
      | 'server-version'
      | 'latency'
      | 'slice'
      | 'mute'
      | 'error';
  }
>;

/** The properties of a connection that decide whether a fault is meant for it. */
export interface FaultSubject {
  /** null before the client has said it. */
  readonly clientId: number | null;
}

interface Holding {
  readonly id: number;
  readonly fault: LastingFault;
  /** The connections that were chosen; null for all that match. */
  readonly chosen: ReadonlySet<FaultSubject> | null;
  /** How many connections or requests it is still for; null for any number. */
  times: number | null;
}

/** The fault that a new connection meets. */
export interface DoorFault {
  readonly delayMs: number;
  readonly silent: boolean;
  /** The version that the gateway pretends to have; null for the right one. */
  readonly version: number | null;
}

const OPEN_DOOR: DoorFault = { delayMs: 0, silent: false, version: null };

/** The faults that hold now. */
export class FaultBoard {
  readonly #random: Random;
  #holding: Holding[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  hold(id: number, fault: LastingFault, chosen: ReadonlySet<FaultSubject> | null): void {
    const isOnce = fault.kind === 'error' && fault.probability === undefined && fault.forMs === undefined;
    this.#holding.push({ id, fault, chosen, times: fault.times ?? (isOnce ? 1 : null) });
  }

  /** Whether it was there. */
  lift(id: number): boolean {
    const before = this.#holding.length;
    this.#holding = this.#holding.filter((one) => one.id !== id);
    return this.#holding.length < before;
  }

  liftAll(): void {
    this.#holding = [];
  }

  /** The fault that a connection meets now. Uses up faults that are for a number of connections only. */
  atDoor(): DoorFault {
    if (this.#holding.length === 0) return OPEN_DOOR;
    let { delayMs, silent, version } = OPEN_DOOR;
    for (const one of this.#holding) {
      const { fault } = one;
      if (fault.kind === 'slow-accept') delayMs += this.#between(fault.fromMs, fault.toMs);
      else if (fault.kind === 'silent-handshake') silent = true;
      else if (fault.kind === 'server-version') version = fault.version;
      else continue;
      if (one.times !== null) one.times--;
    }
    this.#holding = this.#holding.filter(({ times }) => times !== 0);
    return { delayMs, silent, version };
  }

  /** The fault of the output to that connection; null for none. */
  output(subject: FaultSubject): OutputFault | null {
    if (this.#holding.length === 0) return null;
    let ranges: (readonly [fromMs: number, toMs: number])[] | null = null;
    let sliceBytes: number | null = null;
    for (const one of this.#holding) {
      const { fault } = one;
      if (!isMeant(one, subject)) continue;
      if (fault.kind === 'latency') ranges = [...(ranges ?? []), [fault.fromMs, fault.toMs]];
      if (fault.kind === 'slice') sliceBytes = Math.min(sliceBytes ?? fault.bytes, fault.bytes);
    }
    if (ranges === null && sliceBytes === null) return null;
    const delayMs = () => (ranges ?? []).reduce((sum, [from, to]) => sum + this.#between(from, to), 0);
    return { delayMs, sliceBytes };
  }

  /** Whether a request is left without its answer; null asks for what nobody has requested. */
  mutes(subject: FaultSubject, request: RequestName | null): boolean {
    return this.#holding.some((one) => {
      const { fault } = one;
      if (fault.kind !== 'mute' || !isMeant(one, subject)) return false;
      return fault.requests === undefined || (request !== null && fault.requests.includes(request));
    });
  }

  /** The error that a request meets; null for none. Uses up what is for so many requests only. */
  errorFor(subject: FaultSubject, request: Request): ErrorFault | null {
    for (const one of this.#holding) {
      const { fault } = one;
      if (fault.kind !== 'error' || !isMeant(one, subject) || !matches(fault, request)) continue;
      if (fault.probability !== undefined && this.#random() >= fault.probability) continue;
      if (one.times !== null) one.times--;
      this.#holding = this.#holding.filter(({ times }) => times !== 0);
      return fault;
    }
    return null;
  }

  #between(from: number, to: number): number {
    return from + (to - from) * this.#random();
  }
}

export function isMeantFor({ clientIds }: Fault, { clientId }: FaultSubject): boolean {
  return clientIds === undefined || (clientId !== null && clientIds.includes(clientId));
}

function matches({ requests, symbol }: ErrorFault, request: Request): boolean {
  if (requests !== undefined && !requests.includes(request.name)) return false;
  if (symbol === undefined) return true;
  const contract =
    'contract' in request ? request.contract : 'query' in request ? request.query.contract : null;
  return contract !== null && (contract.symbol === symbol || contract.localSymbol === symbol);
}

function isMeant({ fault, chosen }: Holding, subject: FaultSubject): boolean {
  return (chosen === null || chosen.has(subject)) && isMeantFor(fault, subject);
}
