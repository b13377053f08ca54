import { type Clock, systemClock } from '../base/clock.js';
import { CHECKS } from './registry.js';
import { runChecks } from './run.js';
import { openTargets, parseTarget, type TargetAddress } from './targets.js';
import type { AppSettings, Check, DoctorOptions, DoctorResult } from './types.js';

export interface DoctorRequest extends Partial<DoctorOptions> {
  /** `postgres://...`, `mysql://...`, `pgbouncer://...`, `pool:...`, `sqlite:...`; several, since many checks need them together. */
  readonly targets: readonly string[];
  /** How the application is set up; what is not said is null. Default: nothing is known. */
  readonly settings?: AppSettings | null;
  /** Default all. */
  readonly checks?: readonly Check[];
  /** PGPASSWORD and the like fill up what an address leaves out. Default none. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** How long reading one target may take, in milliseconds. Default 10,000. */
  readonly limitMs?: number;
  /** Whether to log in through poolers as the users of `postgres://`, which opens a connection of theirs. Default false. */
  readonly tryLogin?: boolean;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/** The defaults. */
export const DEFAULT_OPTIONS: DoctorOptions = {
  instances: null,
  memoryBytes: null,
  ownMemoryBytes: null,
  fileLimit: null,
  idleTransactionMs: 30_000,
  longQueryMs: 300_000,
  queueWaitMs: 5000,
};

/**
 * Reads all targets in parallel, and runs the checks on them. It never writes. A target that cannot be reached
 * appears in the result. Throws a SourceError or a DatabaseError for a wrong address before it opens anything, and
 * the signal's reason if it aborts.
 */
export async function doctor(request: DoctorRequest): Promise<DoctorResult> {
  const {
    targets,
    settings = null,
    checks = CHECKS,
    env = {},
    limitMs = 10_000,
    clock = systemClock,
  } = request;
  const signal = request.signal ?? new AbortController().signal;
  const addresses = targets.map((address): TargetAddress => parseTarget(address, { env, clock }));
  const options: DoctorOptions = {
    instances: request.instances ?? DEFAULT_OPTIONS.instances,
    memoryBytes: request.memoryBytes ?? DEFAULT_OPTIONS.memoryBytes,
    ownMemoryBytes: request.ownMemoryBytes ?? DEFAULT_OPTIONS.ownMemoryBytes,
    fileLimit: request.fileLimit ?? DEFAULT_OPTIONS.fileLimit,
    idleTransactionMs: request.idleTransactionMs ?? DEFAULT_OPTIONS.idleTransactionMs,
    longQueryMs: request.longQueryMs ?? DEFAULT_OPTIONS.longQueryMs,
    queueWaitMs: request.queueWaitMs ?? DEFAULT_OPTIONS.queueWaitMs,
  };
  await using open = await openTargets(
    addresses,
    { env, clock, settings, limitMs, tryLogin: request.tryLogin ?? false },
    signal,
  );
  return await runChecks(checks, { targets: open.targets, options, signal }, open.examined);
}
