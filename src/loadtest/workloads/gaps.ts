import { asError } from '../../base/promises.js';
import { PoolError } from '../../pool/errors.js';

/** Figures that could not be read, and why: each kind once. */
export class Gaps {
  readonly #reasons = new Map<string, string>();

  add(reason: string): void {
    this.#reasons.set(reason, reason);
  }

  failed(what: string, error: unknown): void {
    if (this.#reasons.has(what)) return;
    const { message } = asError(error instanceof PoolError && error.cause ? error.cause : error);
    this.#reasons.set(what, `${what}: ${message}`);
  }

  list(): readonly string[] {
    return [...this.#reasons.values()];
  }
}
