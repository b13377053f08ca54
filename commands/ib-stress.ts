import { defineCommand } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list, value } from '../src/cli/options.js';
import { choice, count, number, text } from '../src/cli/value-types.js';
import { isLoopback } from '../src/db/postgres-place.js';
import { type Gateways, liveGateway } from '../src/lab/ib-stress/gateways.js';
import { BASIC_TESTS, SCENARIO_NAMES } from '../src/lab/ib-stress/names.js';
import { SCENARIOS } from '../src/lab/ib-stress/scenarios/index.js';
import { spawnGateways } from '../src/lab/ib-stress/spawn-gateways.js';
import { isPaper, lookAtGateway, runIbStress } from '../src/lab/ib-stress/stress.js';
import { renderJson } from '../src/report/json.js';
import { formatsOf, renderReport } from '../src/report/registry.js';
import { padEnd, wrap } from '../src/report/text.js';

const WHAT = 'What is run';
const GATEWAY = 'A gateway of your own';
const RUN = 'Run';

/** Results of the comparison with a connection for each call. */
const BASELINE_CALLS = { simulated: 100, live: 10 };
const MOST_CLIENTS = 32;

const options = {
  test: value({
    summary: 'test to run: sequential, parallel, stress, all',
    type: choice(['sequential', 'parallel', 'stress', 'all'], 'TEST'),
    default: null,
    defaultText: 'all, unless --scenario is given',
    group: WHAT,
  }),
  scenario: list({
    summary: 'scenario to run; --list shows the names',
    type: choice(SCENARIO_NAMES, 'NAME'),
    group: WHAT,
  }),
  list: flag({ summary: 'list the scenarios and exit', config: false, group: WHAT }),
  topology: value({
    summary: 'worker: one connection per thread; shared: one connection for all',
    type: choice(['worker', 'shared']),
    default: null,
    defaultText: 'both for tests, one thread for scenarios',
    group: WHAT,
  }),
  workers: value({
    summary: 'workers of the tests; stress has at least 10',
    type: count({ least: 1, most: MOST_CLIENTS }),
    default: 10,
    group: WHAT,
  }),
  requests: value({
    summary: 'requests per worker',
    type: count({ least: 1, most: 10_000 }),
    default: 10,
    group: WHAT,
  }),
  baseline: value({
    summary: 'unpooled: compare with one connection per call',
    type: choice(['unpooled'], 'WORD'),
    default: null,
    group: WHAT,
  }),
  negativeControls: flag({
    summary: 'run each scenario on a broken pool; passes if all fail',
    config: false,
    group: WHAT,
  }),
  bail: flag({ summary: 'stop at the first failure', config: false, group: RUN }),
  seed: value({
    summary: 'seed of requests, faults and delays',
    type: count({ most: 2 ** 32 - 1 }),
    default: 1,
    group: RUN,
  }),
  realTime: flag({
    summary: 'run at real speed: pacing of ten minutes takes ten minutes',
    group: RUN,
  }),
  jobs: value({
    summary: 'runs in parallel; they affect the figures of each other',
    type: count({ least: 1, most: 32 }),
    default: 1,
    group: RUN,
  }),
  patience: value({
    summary: 'factor by which a slow machine is waited for longer',
    type: number({ least: 1, most: 100 }),
    default: 1,
    group: RUN,
  }),
  host: value({
    summary: 'host of your own gateway, which is only read',
    type: text('HOST'),
    default: null,
    defaultText: 'simulated gateways; 127.0.0.1 with --port',
    config: false,
    group: GATEWAY,
  }),
  port: value({
    summary: 'port of your own gateway; IBKR_PORT is ignored',
    type: count({ least: 1, most: 65_535 }),
    default: null,
    defaultText: 'simulated gateways; 7497 with --host',
    config: false,
    group: GATEWAY,
  }),
  clientIdBase: value({
    summary: 'first client id',
    type: count({ least: 0, most: 2 ** 31 - 1000 }),
    default: 1,
    env: 'IBKR_CLIENT_ID',
    group: GATEWAY,
  }),
  allowRemote: flag({
    summary: 'allow a gateway on another machine',
    config: false,
    group: GATEWAY,
  }),
  iKnowThisIsLive: flag({
    summary: 'allow a live account instead of a paper account',
    config: false,
    group: GATEWAY,
  }),
  format: formatOption(formatsOf('ibStress')),
};

export const command = defineCommand({
  name: 'ib stress',
  summary: 'stress broker connections through the worst trading day',
  description:
    `Starts simulated gateways on loopback and puts the pool through ${SCENARIO_NAMES.length} scenarios: half-open peers, client ids in\n` +
    'use, the nightly reset, restarts, pacing, the lives of orders. Every run is checked, and any difference between the\n' +
    'counts of the client and those of the gateway fails it. With --host or --port it only reads from your gateway: no\n' +
    'faults, no orders, at most 50 messages per second.',
  arguments: {},
  options,
  rules: [
    {
      of: ['negativeControls', 'test'],
      check: ({ options: { negativeControls, test } }) =>
        negativeControls && test !== null && test !== 'all'
          ? `--negative-controls are of scenarios, not of --test ${test}`
          : null,
    },
    {
      of: ['negativeControls', 'host', 'port', 'jobs'],
      check: ({ options: { negativeControls, host, port, jobs } }) => {
        if (host === null && port === null) return null;
        if (negativeControls)
          return 'a broken pool must not be let loose on a real gateway (--negative-controls)';
        return jobs > 1 ? 'a real gateway is for one run at a time (--jobs)' : null;
      },
    },
    {
      of: ['scenario', 'host', 'port'],
      check: ({ options: { scenario, host, port } }) => {
        if (host === null && port === null) return null;
        const names = SCENARIOS.filter(({ name, live }) => scenario.includes(name) && live !== true);
        return names.length === 0
          ? null
          : `--scenario ${names.map(({ name }) => name).join(', ')}: a real gateway cannot be broken on purpose`;
      },
    },
  ],
  examples: [
    { command: 'poolctl ib stress', meaning: 'the three tests in both topologies, and all scenarios' },
    {
      command: 'poolctl ib stress --scenario half-open --scenario auto-restart --real-time --seed 7',
      meaning: 'two scenarios at real speed',
    },
    { command: 'poolctl ib stress --negative-controls', meaning: 'whether a broken pool is detected' },
    {
      command: 'poolctl ib stress --port 7497 --client-id-base 100',
      meaning: 'TWS on this machine with a paper account, read only',
    },
  ],
  async run(context) {
    const { options: given, io, progress } = context;
    if (given.list) {
      await context.write(
        given.format === 'json'
          ? renderJson(scenarioList())
          : `${listLines(context.render.width).join('\n')}\n`,
      );
      return ExitCode.Ok;
    }
    const isLive = given.host !== null || given.port !== null;
    const place = { host: given.host ?? '127.0.0.1', port: given.port ?? 7497 };
    if (isLive) await allowed(place, given);
    const everything = given.test === 'all' || (given.test === null && given.scenario.length === 0);
    const noTests = given.negativeControls || (given.test === null && !everything);
    const topologies = given.topology === null ? (['shared', 'worker'] as const) : [given.topology];
    await using gateways: Gateways = isLive ? liveGateway(place.host, place.port) : spawnGateways();
    const result = await runIbStress(gateways, {
      tests: noTests ? [] : BASIC_TESTS.filter((name) => everything || name === given.test),
      topologies,
      scenarios: everything && given.scenario.length === 0 ? SCENARIO_NAMES : given.scenario,
      scenarioTopology: given.topology ?? 'shared',
      workers: given.workers,
      requests: given.requests,
      clientIdBase: given.clientIdBase,
      seed: given.seed,
      realTime: given.realTime,
      negativeControls: given.negativeControls,
      baselineCalls: given.baseline === null ? 0 : isLive ? BASELINE_CALLS.live : BASELINE_CALLS.simulated,
      jobs: given.jobs,
      bail: given.bail,
      patience: given.patience,
      clock: io.clock,
      stop: io.interrupts.stop,
      memoryBytes: io.memoryBytes,
      onRun: (name, done, all) => {
        progress.update({ label: 'ib stress', share: done / all, note: name });
        context.log(`run ${done + 1} of ${all}: ${name}`);
      },
    });
    progress.clear();
    await context.write(await renderReport('ibStress', given.format, result, context.render));
    return result.passed ? ExitCode.Ok : ExitCode.Failed;
  },
});

/** Throws where the load must not go there. */
async function allowed(
  place: { readonly host: string; readonly port: number },
  given: { readonly allowRemote: boolean; readonly iKnowThisIsLive: boolean; readonly clientIdBase: number },
): Promise<void> {
  if (!given.allowRemote && !(await isLocal(place.host))) {
    const message = `--host: ${place.host} is not this machine, and load goes to other machines only if that is meant`;
    throw new UsageError([{ message, hint: 'give --allow-remote' }]);
  }
  // An id that the runs do not use: the gateway may not have noticed that this one has gone.
  const { accounts } = await lookAtGateway({ ...place, clientId: given.clientIdBase + MOST_CLIENTS });
  const real = accounts.filter((account) => !isPaper(account));
  if (real.length === 0 || given.iKnowThisIsLive) return;
  const message = `the gateway at ${place.host}:${place.port} has ${real.join(', ')}, which is no paper account`;
  throw new UsageError([{ message, hint: 'give --i-know-this-is-live if that is meant' }]);
}

async function isLocal(host: string): Promise<boolean> {
  try {
    return await isLoopback(host);
  } catch (cause) {
    throw new UnavailableError(`cannot find the address of ${host}`, { cause });
  }
}

/** Output of `--list --format json`. */
export interface ScenarioListDocument {
  readonly schema: 1;
  readonly kind: 'ib-stress-scenarios';
  readonly scenarios: readonly {
    readonly name: string;
    readonly title: string;
    /** How many times as fast as the clock the simulated time runs. */
    readonly speed: number;
    /** Whether it may run on a real gateway. */
    readonly live: boolean;
  }[];
}

function scenarioList(): ScenarioListDocument {
  return {
    schema: 1,
    kind: 'ib-stress-scenarios',
    scenarios: SCENARIOS.map(({ name, title, speed, live = false }) => ({ name, title, speed, live })),
  };
}

function listLines(width: number): string[] {
  const nameWidth = Math.max(...SCENARIO_NAMES.map(({ length }) => length)) + 2;
  return SCENARIOS.flatMap(({ name, title }) =>
    wrap(title, width - nameWidth).map((line, at) => padEnd(at === 0 ? name : '', nameWidth) + line),
  );
}
