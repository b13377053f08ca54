import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../../../src/base/clock.js';
import type { Gateways } from '../../../src/lab/ib-stress/gateways.js';
import { type IbStressOptions, runIbStress } from '../../../src/lab/ib-stress/stress.js';
import type { IbRun } from '../../../src/lab/ib-stress/types.js';
import { dist } from '../../helpers/bin.js';

export const OPTIONS: IbStressOptions = {
  tests: [],
  topologies: ['shared'],
  scenarios: [],
  scenarioTopology: 'shared',
  workers: 10,
  requests: 4,
  clientIdBase: 1,
  seed: 1,
  realTime: false,
  negativeControls: false,
  baselineCalls: 0,
  jobs: 1,
  patience: 1,
  clock: systemClock,
  stop: new AbortController().signal,
  memoryBytes: null,
};

/** Gateways in a process of their own, which only the build can start. */
export async function builtGateways(): Promise<Gateways> {
  const file = pathToFileURL(join(dist, 'src/lab/ib-stress/spawn-gateways.js')).href;
  const { spawnGateways }: typeof import('../../../src/lab/ib-stress/spawn-gateways.js') = await import(file);
  return spawnGateways();
}

/** The runs by their names. */
export async function runsOf(options: Partial<IbStressOptions>): Promise<ReadonlyMap<string, IbRun>> {
  await using gateways = await builtGateways();
  const { runs } = await runIbStress(gateways, { ...OPTIONS, ...options });
  return new Map(runs.map((run) => [`${run.name} ${run.kind === 'test' ? run.topology : ''}`.trim(), run]));
}
