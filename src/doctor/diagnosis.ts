import { pause } from '../base/abort.js';
import { asError } from '../base/promises.js';
import { isSuspect, type Moment, momentOf, pressedKeys } from '../diagnosis/moment.js';
import type { Reading, SourceState } from '../snapshot/reading.js';
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
  const states = statesOf(targets, options.clock.wallTime());
  const again = (): Promise<readonly SourceState[]> =>
    Promise.all(states.map((state) => readAgain(state, addresses, options, signal)));
  return diagnoseStates(states, again, targets, options, signal);
}

/** The diagnosis of these sources; `again` reads them for the second look. */
export async function diagnoseStates(
  states: readonly SourceState[],
  again: () => Promise<readonly SourceState[]>,
  { settings }: Pick<Targets, 'settings'>,
  { clock, secondLookMs, cwd }: Pick<DiagnosisOptions, 'clock' | 'secondLookMs' | 'cwd'>,
  signal: AbortSignal,
): Promise<Diagnosed> {
  const judge = (sources: readonly SourceState[], before: Moment | null): Moment =>
    momentOf({ atMs: clock.wallTime(), steadyMs: clock.now(), sources }, before, { cwd, settings });
  const first = judge(states, null);
  if (secondLookMs === null || !isSuspect(first)) return diagnosedOf(first);
  await pause(clock, secondLookMs, signal);
  return diagnosedOf(judge(await again(), first));
}

function diagnosedOf(moment: Moment): Diagnosed {
  return { findings: moment.diagnosis.findings, pressed: pressedKeys(moment) };
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
      kind === 'sqlite' || kind === 'recording'
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
