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

/** Of the comparison with a connection for each call. */
const BASELINE_CALLS = { simulated: 100, live: 10 };
const MOST_CLIENTS = 32;

const options = {
  test: value({
    summary: 'sequential, parallel, stress, or all of them and all scenarios',
    type: choice(['sequential', 'parallel', 'stress', 'all'], 'TEST'),
    default: null,
    defaultText: 'all, unless --scenario is given',
    group: WHAT,
  }),
  scenario: list({
    summary: 'a scenario by its name, may be repeated; --list tells the names',
    type: choice(SCENARIO_NAMES, 'NAME'),
    group: WHAT,
  }),
  list: flag({ summary: 'list the scenarios, and run nothing', config: false, group: WHAT }),
  topology: value({
    summary: 'worker: a thread and a connection each; shared: one connection for all',
    type: choice(['worker', 'shared']),
    default: null,
    defaultText: 'tests in both, scenarios in one thread',
    group: WHAT,
  }),
  workers: value({
    summary: 'how many workers the tests have; stress has 10 at least',
    type: count({ least: 1, most: MOST_CLIENTS }),
    default: 10,
    group: WHAT,
  }),
  requests: value({
    summary: 'how many requests each of them makes',
    type: count({ least: 1, most: 10_000 }),
    default: 10,
    group: WHAT,
  }),
  baseline: value({
    summary: 'unpooled: also compare with a connection for each call',
    type: choice(['unpooled'], 'WORD'),
    default: null,
    group: WHAT,
  }),
  negativeControls: flag({
    summary: 'run each scenario on a pool that is broken on purpose; passes if all of them fail',
    config: false,
    group: WHAT,
  }),
  seed: value({
    summary: 'decides on requests, faults and delays: the same seed, the same schedule',
    type: count({ most: 2 ** 32 - 1 }),
    default: 1,
    group: RUN,
  }),
  realTime: flag({
    summary: 'no clock faster than the machine: ten minutes of history pacing take ten minutes',
    group: RUN,
  }),
  jobs: value({
    summary: 'runs at the same time; more than one disturb the figures of each other',
    type: count({ least: 1, most: 32 }),
    default: 1,
    group: RUN,
  }),
  patience: value({
    summary: 'how many times longer than usual a slow machine is waited for',
    type: number({ least: 1, most: 100 }),
    default: 1,
    group: RUN,
  }),
  host: value({
    summary: 'where a gateway runs, to use instead of simulated ones; it is only read from',
    type: text('HOST'),
    default: null,
    defaultText: 'simulated ones; 127.0.0.1 with --port',
    config: false,
    group: GATEWAY,
  }),
  port: value({
    summary: 'where it listens. Never taken from IBKR_PORT: load goes where it is told to',
    type: count({ least: 1, most: 65_535 }),
    default: null,
    defaultText: 'simulated ones; 7497 with --host',
    config: false,
    group: GATEWAY,
  }),
  clientIdBase: value({
    summary: 'the first of the client ids',
    type: count({ least: 0, most: 2 ** 31 - 1000 }),
    default: 1,
    env: 'IBKR_CLIENT_ID',
    group: GATEWAY,
  }),
  allowRemote: flag({
    summary: 'the gateway may be on another machine',
    config: false,
    group: GATEWAY,
  }),
  iKnowThisIsLive: flag({
    summary: 'its account may be one that is no paper account',
    config: false,
    group: GATEWAY,
  }),
  format: formatOption(formatsOf('ibStress')),
};

export const command = defineCommand({
  name: 'ib stress',
  summary: 'put broker connections through a trading day at its worst, and check what the gateway saw',
  description:
    'Starts gateways in a process of its own, on loopback, and breaks them in 18 ways: half-open peers, client ids in use,\n' +
    'the nightly reset, restarts, pacing. Every run has its checks, and the counts of the client must be those that the\n' +
    'gateway has; any difference fails. With --host or --port it only reads from the gateway that is there: no faults, no\n' +
    'orders, 50 messages a second at most.',
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
      meaning: 'two scenarios, as long as they really take',
    },
    { command: 'poolctl ib stress --negative-controls', meaning: 'would a broken pool be found out?' },
    {
      command: 'poolctl ib stress --port 7497 --client-id-base 100',
      meaning: 'TWS on this machine, with its paper account; nothing but reads',
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

/** What `--list --format json` prints. */
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
