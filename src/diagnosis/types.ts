import type { Facts, PoolFact } from './facts.js';
import type { Recent } from './history.js';
import type { ServerRates } from './server-history.js';

/** `bad`: callers suffer now. `warn`: nobody does yet, or nobody can tell. */
export type Severity = 'bad' | 'warn';

/** How far the facts decide. */
export type Confidence = 'certain' | 'likely' | 'possible';

/** The target of a repair: a library of the application, or a server. */
export type Place = Library | 'pgbouncer' | 'postgres' | 'mysql' | 'mariadb';
export type Library =
  | 'pg'
  | 'postgres.js'
  | 'mysql2'
  | 'mariadb client'
  | 'mongodb'
  | 'knex'
  | 'sequelize'
  | 'typeorm'
  | 'prisma'
  | 'generic-pool'
  | 'poolctl';

/**
 * The repair of a cause, in the words of each place. `app` is for libraries that have no words of their own. `{role}` and
 * `{database}` stand for the role and the database of the pool that suffers, as the server writes them.
 */
export type Repair = { readonly [At in Place | 'app']?: string } & {
  /** Statements that the server takes as they are. */
  readonly sql?: { readonly [At in 'postgres' | 'mysql' | 'mariadb']?: readonly string[] };
};

/** One step: a statement of SQL, a line of pgbouncer.ini, a command of its console, or an instruction. */
export interface Step {
  readonly kind: 'sql' | 'ini' | 'console' | 'code';
  /** The label of the source where it is done; null for the application. */
  readonly at: string | null;
  readonly text: string;
}

/** The subject of a finding. */
export interface Subject {
  readonly kind: 'pool' | 'pooler' | 'server' | 'application';
  /** The key of the fact: of a pool, a pooler's pool, or the label of a source. */
  readonly key: string;
  readonly source: string;
}

/** One kind of trouble: data and one function. Causes are tried in the order of the registry. */
export interface Cause {
  /** Stable, in lower case with hyphens: scripts, tests and runbooks name it. */
  readonly id: string;
  /** The diagnosis in one sentence without a full stop. */
  readonly title: string;
  readonly repair: Repair;
  /** Actions that do not help or do harm. */
  readonly avoid: readonly string[];
  find(look: Look): readonly Found[];
}

/** The result of a cause. */
export interface Found {
  readonly severity: Severity;
  readonly subject: Subject;
  /** Keys of everything that suffers from it. Later causes do not judge those again. */
  readonly explains: readonly string[];
  /** One clause with the figures that decide. */
  readonly words: string;
  /** The larger weight comes first among findings that are equally bad. Default 1. */
  readonly weight?: number;
  /** Columns, codes and figures that it rests on, a line each. */
  readonly evidence?: readonly string[];
  /** Look-alikes, and the fact that rules each out. */
  readonly ruledOut?: readonly string[];
  readonly confidence?: Confidence;
  /** The one fact that would decide, and how to get it; null where nothing is missing. */
  readonly missing?: string | null;
  /** Immediate steps, before the repair of the cause. */
  readonly steps?: readonly Step[];
  /** The pool whose library's words the repair takes; default that of the subject. */
  readonly driver?: string | null;
  /** Words in the place of the cause's repair, where this case has its own. */
  readonly repair?: Repair;
}

/** A cause that was found, with all of its words. */
export interface Finding {
  readonly cause: string;
  readonly title: string;
  readonly severity: Severity;
  readonly subject: Subject;
  readonly explains: readonly string[];
  readonly words: string;
  readonly weight: number;
  readonly evidence: readonly string[];
  readonly ruledOut: readonly string[];
  readonly confidence: Confidence;
  readonly missing: string | null;
  readonly steps: readonly Step[];
  readonly avoid: readonly string[];
}

/** The input of the causes from one look at all sources: the facts, recent events, and earlier findings. */
export interface Look {
  readonly facts: Facts;
  /** Sites are shown relative to it. */
  readonly cwd: string;
  /** The settings of the application, if the command received them; null if they are not known. */
  readonly settings: { readonly poolSize: number | null; readonly maxOverflow: number | null } | null;
  /** How far the wall clock has moved against the monotonic one since the reading before, in milliseconds. */
  readonly clockStepMs: number | null;
  recent(pool: PoolFact): Recent;
  rates(source: string): ServerRates | null;
  /** Whether an earlier cause explains what this key suffers from. */
  isExplained(key: string): boolean;
}
