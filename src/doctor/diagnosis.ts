import { pause } from '../base/abort.js';
import { asError } from '../base/promises.js';
import { findCauses } from '../diagnosis/diagnose.js';
import { factsOf } from '../diagnosis/facts.js';
import { type History, NO_HISTORY, nextHistory } from '../diagnosis/history.js';
import { isPressed, isQueueLong } from '../diagnosis/look.js';
import { NO_SERVER_HISTORY, nextServerHistory, type ServerHistory } from '../diagnosis/server-history.js';
import type { Reading, SourceState, Tick } from '../snapshot/reading.js';
import { type Row, statsAt, toReading } from '../sources/pgbouncer-rows.js';
import { openSource } from '../sources/registry.js';
import type { SourceOptions } from '../sources/types.js';
import { knownOrNull } from './outcome.js';
import type { Diagnosed, PgBouncerTarget, Targets } from './types.js';

export interface DiagnosisOptions extends SourceOptions {
  /** How long one target may take to answer. */
  readonly limitMs: number;
  /** Between two looks, where one shows something that waits or fails; null for one look. */
  readonly secondLookMs: number | null;
  readonly cwd: string;
}

interface Seen extends Diagnosed {
  readonly history: History;
  readonly servers: ServerHistory;
  readonly isSuspect: boolean;
}

/**
 * The diagnosis of all targets together, from what has been read of them; where something waits or fails, from a second
 * look as well, since rates need two. Never throws: a target that does not answer again stays as it was.
 */
export async function diagnoseTargets(
  targets: Omit<Targets, 'diagnosis'>,
  addresses: ReadonlyMap<string, string>,
  options: DiagnosisOptions,
  signal: AbortSignal,
): Promise<Diagnosed> {
  const { clock, secondLookMs } = options;
  const states = statesOf(targets, clock.wallTime());
  const first = judge(states, null, targets, options);
  if (secondLookMs === null || !first.isSuspect) return first;
  await pause(clock, secondLookMs, signal);
  const again = await Promise.all(states.map((state) => readAgain(state, addresses, options, signal)));
  return judge(again, first, targets, options);
}

function judge(
  sources: readonly SourceState[],
  before: Seen | null,
  { settings }: Pick<Targets, 'settings'>,
  { clock, cwd }: DiagnosisOptions,
): Seen {
  const tick: Tick = { atMs: clock.wallTime(), sources };
  const facts = factsOf(tick);
  const history = nextHistory(before?.history ?? NO_HISTORY, facts.pools);
  const servers = nextServerHistory(before?.servers ?? NO_SERVER_HISTORY, facts.servers, tick.atMs);
  const findings = findCauses(facts, { history, servers, cwd, settings });
  const pressed = new Set([
    ...facts.pools.filter(isPressed).map(({ key }) => key),
    ...facts.poolerPools.filter(isQueueLong).map(({ key }) => key),
  ]);
  const waits =
    facts.pools.some(({ pool }) => (pool.waiting ?? 0) > 0) ||
    facts.poolerPools.some(({ pool }) => pool.clientsWaiting > 0);
  const isSuspect = waits || findings.some(({ severity }) => severity === 'bad');
  return { findings, pressed, history, servers, isSuspect };
}

/** Each target as a source that has been read, or that cannot be. */
function statesOf(targets: Omit<Targets, 'diagnosis'>, nowMs: number): readonly SourceState[] {
  const read = (label: string, reading: Reading): SourceState => ({
    ...{ label, kind: reading.kind, stale: null, readMs: null },
    reading: { ...reading, source: label },
  });
  const known = (label: string, reading: Reading | null): readonly SourceState[] =>
    reading === null ? [] : [read(label, reading)];
  return [
    ...targets.pool.map(({ label, reading }) => read(label, reading)),
    ...targets.postgres.flatMap(({ label, reading }) => known(label, knownOrNull(reading))),
    ...targets.mysql.flatMap(({ label, reading }) => known(label, knownOrNull(reading))),
    ...targets.pgbouncer.map((target) => read(target.label, poolerReading(target, nowMs))),
    ...targets.unreadable.flatMap(({ kind, label, problem }): SourceState[] =>
      kind === 'sqlite'
        ? []
        : [
            {
              ...{ label, kind, reading: null, readMs: null },
              stale: { sinceMs: nowMs, why: problem.message, hint: problem.hint, failures: 1, retryMs: 0 },
            },
          ],
    ),
  ];
}

function poolerReading(target: PgBouncerTarget, nowMs: number): Reading {
  const rows = {
    version: target.version,
    pools: rowsOf(target.pools),
    databases: rowsOf(target.databases),
    stats: rowsOf(target.stats),
    clients: rowsOf(target.clients),
    servers: rowsOf(target.servers),
    lists: rowsOf(target.lists),
    config: [...(knownOrNull(target.config) ?? [])].map(([key, value]): Row => ({ key, value })),
    state: rowsOf(target.state),
  };
  return toReading(rows, target.label, nowMs, { before: null, now: statsAt(rows, nowMs) });
}

function rowsOf(part: PgBouncerTarget['pools']): readonly Row[] | null {
  return knownOrNull(part);
}

async function readAgain(
  state: SourceState,
  addresses: ReadonlyMap<string, string>,
  options: DiagnosisOptions,
  signal: AbortSignal,
): Promise<SourceState> {
  const address = addresses.get(state.label);
  if (address === undefined || state.reading === null) return state;
  const source = openSource(address, options);
  try {
    const reading = await source.read(AbortSignal.any([signal, AbortSignal.timeout(options.limitMs)]));
    return { ...state, reading: { ...reading, source: state.label } };
  } catch (error) {
    const stale = { sinceMs: options.clock.wallTime(), why: asError(error).message, hint: null };
    return { ...state, stale: { ...stale, failures: 1, retryMs: 0 } };
  } finally {
    await source[Symbol.asyncDispose]();
  }
}
