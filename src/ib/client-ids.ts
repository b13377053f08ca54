import { optionError, PoolExhaustedError } from './errors.js';

export interface ClientIdOptions {
  /** The first. Default 1. */
  readonly base?: number;
  /** How many clients the gateway serves. Default 32, which is TWS's own limit. */
  readonly most?: number;
}

/**
 * The client ids of one gateway: each belongs to one connection at a time, and the lowest free one is given first. A
 * connection keeps its id for life: with another at each reconnect, it would take that of its neighbor.
 */
export class ClientIds {
  readonly base: number;
  readonly most: number;
  readonly #taken = new Set<number>();

  /** Throws an IbError with ERR_IB_OPTION. */
  constructor({ base = 1, most = 32 }: ClientIdOptions = {}) {
    if (!Number.isSafeInteger(base) || base < 0 || base + most > 2 ** 31) {
      throw optionError(`the first client id must be a whole number from 0 to 2147483615, got ${base}`);
    }
    if (!Number.isSafeInteger(most) || most < 1)
      throw optionError(`most must be a whole number from 1, got ${most}`);
    this.base = base;
    this.most = most;
  }

  get taken(): readonly number[] {
    return [...this.#taken].sort((a, b) => a - b);
  }

  get free(): number {
    return this.most - this.#taken.size;
  }

  /** Throws PoolExhaustedError. */
  take(): number {
    for (let id = this.base; id < this.base + this.most; id++) {
      if (this.#taken.has(id)) continue;
      this.#taken.add(id);
      return id;
    }
    throw new PoolExhaustedError(
      `all ${this.most} client ids are taken (${this.base} to ${this.base + this.most - 1})`,
      'a gateway serves 32 clients: let more of the work share a connection',
    );
  }

  give(id: number): void {
    this.#taken.delete(id);
  }
}
