import { onAbort, pause } from '../../base/abort.js';
import type { Clock } from '../../base/clock.js';
import { IbConnection } from '../../ib/connection.js';
import { localLine } from '../../ib/link.js';
import { createPacer, type Pacer } from '../../ib/pacing.js';
import type { Topology } from '../../snapshot/broker.js';
import { measureBaseline } from './baseline.js';
import { basicTests } from './basic-tests.js';
import { BREAKAGES, type Breakage } from './breakages.js';
import { type Gateways, nowhere } from './gateways.js';
import type { BasicTest, ScenarioName } from './names.js';
import { SCENARIOS } from './scenarios/index.js';
import type { Scenario } from './scenarios/scenario.js';
import { runTrial } from './trial.js';
import type { IbRepeat, IbRun, IbStressResult } from './types.js';

export interface IbStressOptions {
  /** Basic tests, run before the scenarios. */
  readonly tests: readonly BasicTest[];
  /** In which they are run, one after the other. */
  readonly topologies: readonly Topology[];
  readonly scenarios: readonly ScenarioName[];
  /** `worker`: each connection of a scenario on a thread of its own. */
  readonly scenarioTopology: Topology;
  readonly workers: number;
  /** The number for each worker. */
  readonly requests: number;
  readonly clientIdBase: number;
  readonly seed: number;
  /** No clock runs faster than the machine's. */
  readonly realTime: boolean;
  /** Runs each scenario on a pool that is broken on purpose: it has to fail. */
  readonly negativeControls: boolean;
  /** Calls of the comparison with a connection each; 0 for none. */
  readonly baselineCalls: number;
  /** How many runs may be under way at once. */
  readonly jobs: number;
  /** Begins no other run after one that failed; a replay ends with the first act that differs. Default false. */
  readonly bail?: boolean;
  /** How many times longer than usual a slow machine is waited for. */
  readonly patience: number;
  readonly clock: Clock;
  /** Ends the run that is on, and begins no other. */
  readonly stop: AbortSignal;
  readonly memoryBytes: (() => number) | null;
  /** Called before each run. */
  readonly onRun?: (name: string, done: number, all: number) => void;
}

/** The delay of a message on a busy machine that the pacing allows for. */
const REAL_MARGIN_MS = 75;
const FAST_MARGIN_MS = 150;
const NOTICE_MS = 1000;
/** Shorter than anything that a run allows for. */
const STALL_MS = 75;
const MOST_REPEATS = 5;
/** The time that 32 threads may need to start on a busy machine. */
const THREADS_MS = 60_000;

/**
 * Puts the pool under stress, and holds what it says of itself against what the gateways have seen. Each run has a
 * gateway, pools and a pacing of its own.
 */
export async function runIbStress(gateways: Gateways, options: IbStressOptions): Promise<IbStressResult> {
  const { clock, stop, negativeControls, seed } = options;
  // A user who stops it does not wait for a gateway that has no time to answer.
  const stopWatching = onAbort(stop, () => gateways.kill());
  // Else the first run would be the one that pays for loading the library.
  await localLine(clock).prepare();
  const startedAt = clock.now();
  const planned = plan(options);
  // A real gateway counts what came before, too.
  const pacer = gateways.place === null ? null : createPacer({ clock });
  const runs: (IbRun | null)[] = planned.map(() => null);
  const wanted: IbRun['outcome'] = negativeControls ? 'failed' : 'passed';
  const isOver = (): boolean =>
    options.bail === true &&
    runs.some((run) => run !== null && run.outcome !== wanted && run.outcome !== 'skipped');
  let begun = 0;
  const next = async (): Promise<void> => {
    while (begun < planned.length && !stop.aborted && !isOver()) {
      const index = begun++;
      const one = planned[index] as Planned;
      options.onRun?.(one.name, index, planned.length);
      runs[index] = await untilConclusive(one, gateways, { ...options, pacer });
      const isLast = begun === planned.length;
      if (pacer !== null && !isLast && runs[index]?.outcome !== 'skipped')
        // A real gateway needs a moment to notice that clients have gone, and that their ids are free.
        await pause(options.clock, NOTICE_MS, options.stop);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, next));
  const baseline =
    options.baselineCalls > 0 && !stop.aborted
      ? await measureBaseline(gateways, { ...options, calls: options.baselineCalls }).catch(
          (error: unknown) => {
            if (stop.aborted) return null;
            throw error;
          },
        )
      : null;
  stopWatching();
  const done = runs.filter((run) => run !== null);
  const partial = done.length < planned.length;
  return {
    schema: 1,
    kind: 'ib-stress',
    seed,
    gateway: gateways.place,
    startedAt: new Date(clock.wallTime()).toISOString(),
    elapsedMs: clock.now() - startedAt,
    negativeControls,
    partial,
    runs: done,
    baseline,
    passed: !partial && done.every(({ outcome }) => outcome === wanted || outcome === 'skipped'),
  };
}

/** The accounts of the login at a real gateway, and the version it speaks. Rejects with an IbError. */
export async function lookAtGateway(target: {
  readonly host: string;
  readonly port: number;
  readonly clientId: number;
}): Promise<{ readonly accounts: readonly string[]; readonly serverVersion: number }> {
  await using connection = new IbConnection(target);
  const { accounts, serverVersion } = await connection.ready();
  return { accounts, serverVersion };
}

/** Whether nothing real is traded there. IB's paper accounts begin with a D. */
export function isPaper(account: string): boolean {
  return account.startsWith('D');
}

interface Planned {
  readonly name: BasicTest | ScenarioName;
  readonly kind: IbRun['kind'];
  readonly topology: Topology;
  readonly work: Pick<Scenario, 'title' | 'speed' | 'lastsMs' | 'gateway' | 'pacing' | 'offline' | 'run'>;
  readonly breakage: (() => Breakage) | null;
}

function plan(options: IbStressOptions): Planned[] {
  const { tests, topologies, scenarios, scenarioTopology, negativeControls } = options;
  const seedRuns = tests.flatMap((name) =>
    topologies.map(
      (topology): Planned => ({
        name,
        kind: 'test',
        topology,
        work: { ...basicTests[name], speed: 1, lastsMs: 2000 + 50 * options.workers * options.requests },
        breakage: null,
      }),
    ),
  );
  const scenarioRuns = SCENARIOS.filter(({ name }) => scenarios.includes(name)).map(
    (scenario): Planned => ({
      name: scenario.name,
      kind: 'scenario',
      topology: scenarioTopology,
      work: scenario,
      breakage: negativeControls ? BREAKAGES[scenario.name] : null,
    }),
  );
  return [...seedRuns, ...scenarioRuns];
}

/**
 * A run that went wrong while the machine stood still says nothing of the pool: what was sent in time arrived too late,
 * and what came too late is forgiven. It is run again, and the result says so.
 */
async function untilConclusive(
  planned: Planned,
  gateways: Gateways,
  options: IbStressOptions & { readonly pacer: Pacer | null },
): Promise<IbRun | null> {
  const mostRepeats = gateways.place === null ? MOST_REPEATS : 0;
  const wanted: IbRun['outcome'] = options.negativeControls ? 'failed' : 'passed';
  const repeats: IbRepeat[] = [];
  for (;;) {
    const run = await carryOut(planned, gateways, options).catch((error: unknown) => {
      // The gateway was killed under it.
      if (options.stop.aborted) return null;
      throw error;
    });
    if (run === null) return null;
    const stalledMs = run.stalledMs ?? 0;
    const isConclusive = run.outcome === wanted || stalledMs <= STALL_MS * options.patience;
    if (isConclusive || repeats.length === mostRepeats) return { ...run, repeats };
    repeats.push({
      stalledMs,
      checks: run.checks.filter(({ ok }) => !ok),
      comparisons: (run.comparisons ?? []).filter(({ ok }) => !ok),
    });
  }
}

async function carryOut(
  { name, kind, topology, work, breakage: breaks }: Planned,
  gateways: Gateways,
  options: IbStressOptions & { readonly pacer: Pacer | null },
): Promise<IbRun | null> {
  const { clock, patience, seed } = options;
  const isLive = gateways.place !== null;
  const about = { name, kind, topology, title: work.title };
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (isLive && kind === 'scenario' && scenario?.live !== true) return skipped(about);
  const isFast = !options.realTime && !isLive && work.speed > 1;
  const speed = isFast ? Math.max(1, work.speed / patience) : 1;
  const marginMs = isFast ? FAST_MARGIN_MS * speed * patience : REAL_MARGIN_MS * patience;
  const breakage = breaks?.() ?? null;
  const since = clock.now();
  await using gateway =
    work.offline === true ? nowhere : await gateways.start({ ...work.gateway, seed, speed });
  const outcome = await runTrial(work.run, work.lastsMs / speed + (topology === 'worker' ? THREADS_MS : 0), {
    ...options,
    gateway,
    topology,
    speed,
    breakage,
    pacing: { marginMs, ...work.pacing },
  });
  if (outcome.stopped) return null;
  const { checks, comparisons, figures } = outcome;
  const held = checks.every(({ ok }) => ok) && (comparisons ?? []).every(({ ok }) => ok);
  return {
    ...about,
    outcome: held ? 'passed' : 'failed',
    why: null,
    broken: breakage?.what ?? null,
    tookMs: clock.now() - since,
    repeats: [],
    stalledMs: outcome.stalledMs,
    speed,
    checks,
    comparisons,
    figures,
  };
}

function skipped(about: Pick<IbRun, 'name' | 'kind' | 'title' | 'topology'>): IbRun {
  return {
    ...about,
    outcome: 'skipped',
    why: 'it needs faults, orders or counts that a real gateway has not',
    broken: null,
    tookMs: 0,
    repeats: [],
    stalledMs: null,
    speed: 1,
    checks: [],
    comparisons: null,
    figures: null,
  };
}
