import { findingsAtExit } from '../../src/diagnosis/at-exit.js';
import { momentOf } from '../../src/diagnosis/moment.js';
import type { Finding } from '../../src/diagnosis/types.js';
import { causeNow } from '../../src/doctor/checks/cause-now.js';
import { diagnoseStates } from '../../src/doctor/diagnosis.js';
import { HealthCheck } from '../../src/health/check.js';
import { HEALTH_LIMITS } from '../../src/health/health.js';
import { Exporter } from '../../src/metrics/exporter.js';
import { exitReport } from '../../src/report/run/exit-report.js';
import type { SourceState } from '../../src/snapshot/reading.js';
import type { StatsSource } from '../../src/sources/types.js';
import { jsonLine } from '../../src/top/report.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { AT_MS } from '../top/helpers.js';
import type { Incident } from './incidents.js';

/** What each command says of one situation: causes, the first of which it names first. */
export interface Outputs {
  readonly top: readonly string[];
  readonly health: readonly string[];
  readonly doctor: readonly string[];
  /** The causes of the series that fire an alert. */
  readonly alerts: readonly string[];
  /** From the readings of the applications alone: no server is read when a process exits. */
  readonly exit: readonly Finding[];
  readonly exitText: string;
}

/** Runs a situation, as the sources read it, through every output of the diagnosis. */
export async function outputsOf({ sources, before, settings, clockStepMs }: Incident): Promise<Outputs> {
  const at = (sources: readonly SourceState[], agoMs: number) => ({
    atMs: AT_MS - agoMs,
    // The wall clock moved, and the other one did not.
    steadyMs: agoMs === 0 ? 10_000 - (clockStepMs ?? 0) : 10_000 - agoMs,
    sources,
  });
  const options = { cwd: '/app', settings: settings ?? null };
  const past = before ?? (clockStepMs === undefined ? null : sources);
  const first = past === null ? null : momentOf(at(past, 1000), null, options);
  const moment = momentOf(at(sources, 0), first, options);
  const line = JSON.parse(jsonLine(moment)) as { diagnosis: { cause: string | null } };
  const exit = momentOf(
    at(
      sources.filter(({ kind }) => kind === 'pool'),
      0,
    ),
    null,
    options,
  ).diagnosis.findings;
  return {
    top: line.diagnosis.cause === null ? [] : [line.diagnosis.cause],
    health: await healthCauses(sources, past, settings ?? null, clockStepMs),
    doctor: await doctorCauses(sources, past, settings ?? null, clockStepMs),
    alerts: await alertCauses(sources, past, settings ?? null, clockStepMs),
    exit,
    exitText: exitReport(findingsAtExit(exit)),
  };
}

type Settings = NonNullable<Incident['settings']> | null;

/** A clock whose two hands differ by that much from the second look on. */
class SteppedClock extends VirtualClock {
  stepMs = 0;
  override wallTime(): number {
    return super.wallTime() + this.stepMs;
  }
}

const clockAt = (): SteppedClock => new SteppedClock({ wallStartMs: AT_MS - 1000 });

async function healthCauses(
  sources: readonly SourceState[],
  past: readonly SourceState[] | null,
  settings: Settings,
  stepMs = 0,
): Promise<readonly string[]> {
  const clock = clockAt();
  const check = new HealthCheck({
    ...{ clock, limits: HEALTH_LIMITS, timeoutMs: 1000, secondLookMs: null, cwd: '/app', settings },
  });
  const replay = new Replay(past ?? sources);
  const look = () =>
    check.check({ sources: replay.sources, nobodyPublishes: false }, new AbortController().signal);
  if (past !== null) await look();
  await clock.advance(1000);
  clock.stepMs = stepMs;
  replay.states = sources;
  const { pools } = await look();
  return [...new Set(pools.flatMap(({ cause }) => cause ?? []))];
}

async function doctorCauses(
  sources: readonly SourceState[],
  past: readonly SourceState[] | null,
  settings: Settings,
  stepMs = 0,
): Promise<readonly string[]> {
  const clock = clockAt();
  const secondLookMs = past === null ? null : 1000;
  const diagnosed = diagnoseStates(
    past ?? sources,
    () => Promise.resolve(sources),
    { settings: settings as never },
    { clock, secondLookMs, cwd: '/app' },
    new AbortController().signal,
  );
  clock.stepMs = stepMs;
  await clock.advance(1000);
  const targets = {
    ...{ postgres: [], mysql: [], pgbouncer: [], sqlite: [], recording: [], settings: null, unreadable: [] },
    pool: sources.map(({ label }) => ({ label })),
    diagnosis: await diagnosed,
  };
  const outcomes = await causeNow.run({ targets } as never);
  return outcomes
    .filter(({ status }) => status !== 'pass')
    .map(({ summary }) => summary.slice(0, summary.indexOf(':')));
}

async function alertCauses(
  sources: readonly SourceState[],
  past: readonly SourceState[] | null,
  settings: Settings,
  stepMs = 0,
): Promise<readonly string[]> {
  const clock = clockAt();
  const replay = new Replay(past ?? sources);
  await using exporter = new Exporter([...replay.sources.values()], {
    ...{ clock, compat: [], maxPools: 1000, limitMs: 1000, discovery: null, log: () => {}, settings },
  });
  if (past !== null) await exporter.scrape();
  await clock.advance(1000);
  clock.stepMs = stepMs;
  replay.states = sources;
  const text = await exporter.scrape();
  const series = text.split('\n').filter((line) => line.startsWith('poolctl_diagnosis{'));
  return series.flatMap((line) =>
    /severity="(?:critical|warning)".* 1$/.test(line) ? (/cause="([^"]+)"/.exec(line)?.[1] ?? []) : [],
  );
}

/** Sources that read what they are told. */
class Replay {
  states: readonly SourceState[];
  readonly sources: ReadonlyMap<string, StatsSource>;

  constructor(first: readonly SourceState[]) {
    this.states = first;
    this.sources = new Map(first.map(({ label, kind }) => [label, this.#source(label, kind)]));
  }

  #source(label: string, kind: SourceState['kind']): StatsSource {
    return {
      label,
      kind,
      read: () => {
        const state = this.states.find((one) => one.label === label);
        if (state === undefined || state.reading === null)
          return Promise.reject(new Error(state?.stale?.why ?? 'it is gone'));
        return Promise.resolve(state.reading);
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}
