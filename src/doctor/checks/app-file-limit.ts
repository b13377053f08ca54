import { formatCount } from '../../base/units.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { about, codeStep, type Finding, fail, judged, pass, skip, warn } from '../outcome.js';
import { capacityOf, setOption } from '../pools.js';
import { type ProcessFiles, processFiles } from '../process-files.js';
import type { Check, Fix, PoolTarget } from '../types.js';

/** For all else that a Node process has open. */
const RESERVE = 64;
/** The database, its log and the shared memory. */
const FILES_OF_SQLITE = 3;

export const appFileLimit: Check = {
  id: 'app-file-limit',
  title: "all pools of an application fit within the process's limit on open files",
  needs: ['pool'],
  why:
    'Each connection is an open file. At the limit, the process cannot open anything (EMFILE, "too many ' +
    'open files"): no connection, no client request, no log file.',
  details:
    `Adds up the connections that the pools of a process may open, plus ${RESERVE} for everything else, and ` +
    'compares the sum with ulimit -n. Works on Linux, for processes on this machine. A pool without a limit ' +
    'is a warning.',
  run: ({ targets }) =>
    Promise.all(targets.pool.map(async (target) => about([target], await judged(() => judge(target))))),
};

async function judge({ reading: { pools } }: PoolTarget): Promise<Finding> {
  const [app] = pools.flatMap(({ app: one }) => one ?? []);
  if (app === undefined) return skip('no application has a pool');
  const files = await processFiles(app);
  if (files === null) return skip('the system does not report the file limit of its process');
  const open = pools.filter(({ closed }) => !closed);
  const unlimited = open.filter((pool) => capacityOf(pool) === null && pool.ib === undefined);
  const sum = open.reduce((all, pool) => all + filesOf(pool), RESERVE);
  const evidence = [
    ...open.map((pool) => `${pool.name}: ${capacityOf(pool) ?? 'no limit'}`),
    `ulimit -n ${files.limit}${files.open === null ? '' : `, ${formatCount(files.open)} open`}`,
  ];
  const summary = `up to ${formatCount(sum)} files, limit ${formatCount(files.limit)}`;
  if (sum > files.limit) return fail(summary, evidence, fixOf(open, sum, files));
  if (unlimited.length > 0) {
    const names = unlimited.map(({ name }) => `'${name}'`).join(', ');
    const step = codeStep(`give the pool ${names} a limit`);
    return warn(`pool ${names} has no limit`, evidence, { steps: [step], risk: RISK });
  }
  return pass(summary, evidence);
}

const RISK =
  'A smaller pool serves fewer requests at once. If that is too few, raise the limit instead: ulimit -n ' +
  'before the start, LimitNOFILE= in systemd, or ulimits in compose.';

/** The largest pool gives up what is too much. */
function fixOf(pools: readonly PoolReading[], sum: number, { limit }: ProcessFiles): Fix {
  const [largest] = [...pools].sort((one, other) => filesOf(other) - filesOf(one));
  const room = largest === undefined ? 0 : filesOf(largest) - (sum - limit);
  const each = largest?.driver === 'sqlite' ? FILES_OF_SQLITE : 1;
  const size = Math.floor(room / each) - (largest?.maxOverflow ?? 0);
  const step = largest === undefined || size < 1 ? null : setOption(largest, 'size', size);
  return {
    steps: [step ?? codeStep(`raise the limit: run ulimit -n ${sum} before you start it`)],
    risk: RISK,
  };
}

function filesOf(pool: PoolReading): number {
  return (capacityOf(pool) ?? pool.live ?? 0) * (pool.driver === 'sqlite' ? FILES_OF_SQLITE : 1);
}
