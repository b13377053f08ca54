import type { Clock } from '../base/clock.js';
import type { poolObserved } from '../snapshot/observed.js';
import type { Made } from '../snapshot/schema.js';
import type { Blame } from './blame.js';
import { type Frame, framesOf } from './frames.js';
import type { SessionEffect } from './statements.js';

export type Observed = Made<typeof poolObserved>;
export type QueryError = Observed['queryErrors'][number];

/** Errors of one code and one way through the code. */
interface ErrorEntry {
  readonly code: string;
  message: string;
  readonly frames: readonly Frame[];
  count: number;
  lastAt: number;
}

/** Kinds of errors, and of session state, that are told apart. */
const MOST_KINDS = 100;
const MOST_MESSAGE = 300;
/** Stacks that are formatted in a second. */
const FORMATS_PER_SECOND = 20;
const MINUTE_MS = 60_000;

/** Observations of a foreign pool beside its leases: failed statements, the state of its sessions, its connects. */
export class Observations {
  /** Statements, and those that have a name. null until a kind of connection is met whose statements can be seen. */
  queries: number | null = null;
  named: number | null = null;
  lostIdle: number | null = null;
  lostLent: number | null = null;
  lostOpen: number | null = null;
  createErrorCode: string | null = null;
  readonly #clock: Clock;
  readonly #errors = new Map<string, ErrorEntry>();
  readonly #session = new Map<string, { readonly site: Error | null; count: number }>();
  #createFailedAt: number | null = null;
  #refusedAt: number | null = null;
  #lostAt: number | null = null;
  #connects: { readonly at: number; readonly ms: number }[] = [];
  /** Connects without an outcome yet, the oldest first. */
  readonly #dials = new Set<{ readonly since: number }>();
  #secondAt = Number.NEGATIVE_INFINITY;
  #formatted = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From now on statements are seen: none so far is a count. */
  begin(): void {
    this.queries ??= 0;
    this.named ??= 0;
    this.lostIdle ??= 0;
    this.lostLent ??= 0;
  }

  /** A connection broke: in the pool, or lent; then maybe with a transaction open, where that is known. */
  lost(isLent: boolean, isOpen: boolean | null): void {
    this.begin();
    this.#lostAt = this.#clock.now();
    if (!isLent) {
      this.lostIdle = (this.lostIdle ?? 0) + 1;
      return;
    }
    this.lostLent = (this.lostLent ?? 0) + 1;
    if (isOpen !== null) this.lostOpen = (this.lostOpen ?? 0) + Number(isOpen);
  }

  failed(code: string, message: string, site: Error | null): void {
    const now = this.#clock.now();
    const frames = this.#mayFormat(now) ? framesOf(site) : [];
    const key = `${code}\n${frames.map(({ site: at }) => at).join('\n')}`;
    let entry = this.#errors.get(key);
    if (entry === undefined) {
      entry = { code, message, frames, count: 0, lastAt: now };
      if (this.#errors.size >= MOST_KINDS) this.#forgetOldest();
      this.#errors.set(key, entry);
    }
    entry.count++;
    entry.lastAt = now;
    entry.message = message.slice(0, MOST_MESSAGE);
  }

  changed({ kind, what }: SessionEffect, site: Error | null): void {
    if (kind === 'unlock' || kind === 'unlisten' || kind === 'reset') return;
    const entry = this.#session.get(what);
    if (entry !== undefined) entry.count++;
    else if (this.#session.size < MOST_KINDS) this.#session.set(what, { site, count: 1 });
  }

  /** Notes that a connect began. Call the answer when it has an outcome. */
  connecting(): () => void {
    const connect = { since: this.#clock.now() };
    this.#dials.add(connect);
    return () => this.#dials.delete(connect);
  }

  connected(ms: number): void {
    const now = this.#clock.now();
    this.#connects = this.#connects.filter((one) => now - one.at < MINUTE_MS && one.ms > ms);
    this.#connects.push({ at: now, ms });
    this.createErrorCode = null;
  }

  connectFailed(error: unknown): void {
    this.createErrorCode = codeOf(error);
    this.#createFailedAt = this.#clock.now();
  }

  /** An acquire is refused: the pool is closed. */
  refused(code: string, site: Error | null): void {
    this.failed(code, 'the pool is closed', site);
    this.#refusedAt = this.#clock.now();
  }

  /** Whether an acquire was refused within this time. */
  hasRefusedWithin(ms: number): boolean {
    return this.#refusedAt !== null && this.#clock.now() - this.#refusedAt < ms;
  }

  /** `blamesOf` names the responsible lines, as for leases. */
  snapshot(
    blamesOf: (stacks: readonly (readonly Frame[])[]) => readonly Blame[],
  ): Omit<
    Observed,
    'ageMs' | 'site' | 'address' | 'waiterSites' | 'nestedWaiters' | 'askedTogether' | 'burst' | 'openIdle'
  > {
    const now = this.#clock.now();
    return {
      queries: this.queries,
      queryErrors: this.#queryErrors(now, blamesOf),
      namedStatements: this.named,
      createErrorCode: this.createErrorCode,
      createErrorMs: this.#createFailedAt === null ? null : now - this.#createFailedAt,
      slowestConnectMs: this.#slowestConnect(now),
      connectingMs: this.#oldestConnect(now),
      lostIdle: this.lostIdle,
      lostLent: this.lostLent,
      lostOpen: this.lostOpen,
      lostMs: this.#lostAt === null ? null : now - this.#lostAt,
      sessionState: [...this.#session]
        .map(([what, { site, count }]) => ({ what, site: framesOf(site)[0]?.site ?? null, count }))
        .sort((one, other) => other.count - one.count),
    };
  }

  #queryErrors(now: number, blamesOf: Parameters<Observations['snapshot']>[0]): QueryError[] {
    const entries = [...this.#errors.values()];
    const blames = blamesOf(entries.map(({ frames }) => frames));
    const errors = new Map<string, QueryError>();
    for (const [i, { code, message, count, lastAt }] of entries.entries()) {
      const site = blames[i]?.site ?? null;
      const key = `${code}\n${site}`;
      const same = errors.get(key);
      errors.set(key, {
        ...{ code, message, site },
        count: count + (same?.count ?? 0),
        lastMs: Math.min(now - lastAt, same?.lastMs ?? Number.POSITIVE_INFINITY),
      });
    }
    return [...errors.values()].sort((one, other) => other.count - one.count);
  }

  #oldestConnect(now: number): number | null {
    const [oldest] = this.#dials;
    return oldest === undefined ? null : now - oldest.since;
  }

  #slowestConnect(now: number): number | null {
    const recent = this.#connects.filter((one) => now - one.at < MINUTE_MS);
    return recent.length === 0 ? null : Math.max(...recent.map(({ ms }) => ms));
  }

  #mayFormat(now: number): boolean {
    if (now - this.#secondAt >= 1000) {
      this.#secondAt = now;
      this.#formatted = 0;
    }
    return this.#formatted++ < FORMATS_PER_SECOND;
  }

  #forgetOldest(): void {
    let oldest: string | null = null;
    let oldestAt = Number.POSITIVE_INFINITY;
    for (const [key, { lastAt }] of this.#errors) if (lastAt < oldestAt) [oldest, oldestAt] = [key, lastAt];
    if (oldest !== null) this.#errors.delete(oldest);
  }
}

/**
 * SQLSTATE of PostgreSQL, MySQL's name, or Node's code; null where an error has none. mysql2 has no names for the errors
 * that MariaDB alone knows: those are told by their number.
 */
export function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  const { code, errno } = error as { readonly code?: unknown; readonly errno?: unknown };
  if (typeof code === 'string') return code.slice(0, 50);
  return typeof errno === 'number' ? String(errno) : null;
}
