// `npm run mutation:stress`: plants faults in the broker pool, one at a time, and lists those that `ib stress` passes.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { transformSync } from 'esbuild';
import { mutantsOf } from './mutants.mjs';
import { brief, equivalents, isSame, sampleOf } from './sample.mjs';

/** @typedef {import('./mutants.mjs').Mutant} Mutant */

/** For reports and working copies; git ignores it. */
const FOLDER = 'coverage/mutation';
const LEDGER = 'src/ib/orders';
const FILES = [
  ...['pool', 'requests', 'pacing', 'supervisor'].map((name) => `src/ib/${name}.ts`),
  ...readdirSync(LEDGER).map((name) => `${LEDGER}/${name}`),
];
/** It blocks the loop of its process, which would disturb runs beside it. */
const ALONE = 'big-history';
/** The scripted sessions, which take a second, and the files whose mutants each is most likely to notice. */
const REPLAYS = {
  'replay-pool': 'src/ib/pool.ts',
  'replay-requests': 'src/ib/requests.ts',
  'replay-pacing': 'src/ib/pacing.ts',
  'replay-connections': 'src/ib/supervisor.ts',
  'replay-orders': LEDGER,
};
/** A run that takes longer hangs: the fault is found. A busy machine needs many times the second of a quiet one. */
const MOST_MS = { replays: 150_000, all: 240_000 };

const { values } = parseArgs({
  options: {
    sample: { type: 'string', default: '60' },
    seed: { type: 'string', default: 'poolctl' },
    quick: { type: 'boolean', default: false },
  },
});
const size = Number(values.sample);
const UNSOUND = 'ib stress does not pass on the pool as it is: no mutant would say anything';
if (!Number.isSafeInteger(size) || size < 1) {
  process.stderr.write('usage: npm run mutation:stress [-- --sample N] [--seed TEXT] [--quick]\n');
  process.exit(2);
}

mkdirSync(FOLDER, { recursive: true });
const copy = mkdtempSync(join(FOLDER, 'stress-'));
try {
  cpSync('dist', join(copy, 'dist'), { recursive: true });
  cpSync('package.json', join(copy, 'package.json'));
  const names = scenarioNames();
  const replays = Object.keys(REPLAYS);
  const others = names.filter((name) => name !== ALONE && !replays.includes(name));
  if (stress(replays, MOST_MS.replays) !== 'passed') throw new Error(UNSOUND);
  if (!values.quick && stress(others, MOST_MS.all) !== 'passed') throw new Error(UNSOUND);
  const listed = equivalents();
  const all = (await mutantsOf(FILES)).filter((mutant) => !listed.some((one) => isSame(one, mutant)));
  const sample = sampleOf(all, { size, seed: values.seed, folder: FOLDER });
  /** @type {Mutant[]} */
  const survivors = [];
  for (const [at, mutant] of sample.entries()) {
    const { outcome, by } = withMutant(mutant, () => judge(mutant.file, { replays, others }));
    if (outcome === 'passed') survivors.push(mutant);
    const what = outcome === 'passed' ? 'survived' : `${outcome} (${by})`;
    process.stdout.write(`${at + 1} of ${sample.length}: ${what} ${mutant.file}:${mutant.line}\n`);
  }
  const found = sample.length - survivors.length;
  const lines = [
    ...survivors.map(
      (one) => `${one.file}:${one.line}\n  - ${brief(one.original)}\n  + ${brief(one.replacement)}`,
    ),
    `ib stress found ${found} of ${sample.length} mutants (${((100 * found) / sample.length).toFixed(1)} %), from ${all.length}`,
  ];
  process.stdout.write(`\n${lines.join('\n')}\n`);
} finally {
  rmSync(copy, { recursive: true, force: true });
}

/** @typedef {'passed' | 'failed' | 'hung'} Outcome */

/**
 * The cheapest first, up to the first that notices the mutant.
 *
 * @param {string} file
 * @param {{ replays: readonly string[], others: readonly string[] }} scenarios
 * @returns {{ outcome: Outcome, by: string }}
 */
function judge(file, { replays, others }) {
  const [nearest = ''] = Object.entries(REPLAYS).find(([, part]) => file.startsWith(part)) ?? [];
  const rest = replays.filter((name) => name !== nearest);
  for (const [by, names] of /** @type {const} */ ([
    [nearest, [nearest]],
    ['another replay', rest],
  ])) {
    const outcome = stress(names, MOST_MS.replays);
    if (outcome !== 'passed') return { outcome, by };
  }
  if (values.quick) return { outcome: 'passed', by: '' };
  const outcome = stress(others, MOST_MS.all);
  // They need time that a busy machine may not have: only what fails twice is the mutant's doing.
  const again = outcome === 'failed' ? stress(others, MOST_MS.all) : outcome;
  return { outcome: again, by: 'a gateway' };
}

/**
 * @template T
 * @param {Mutant} mutant
 * @param {() => T} work
 */
function withMutant({ file, from, original, replacement }, work) {
  const built = join(copy, 'dist', file.replace(/\.ts$/, '.js'));
  const before = readFileSync(built, 'utf8');
  const text = readFileSync(file, 'utf8');
  const changed = text.slice(0, from) + replacement + text.slice(from + original.length);
  try {
    writeFileSync(built, transformSync(changed, { loader: 'ts', format: 'esm', target: 'node20' }).code);
    return work();
  } finally {
    writeFileSync(built, before);
  }
}

/**
 * @param {readonly string[]} names
 * @param {number} mostMs
 * @returns {Outcome}
 */
function stress(names, mostMs) {
  const chosen = names.flatMap((name) => ['--scenario', name]);
  const how = ['--jobs', String(names.length), '--patience', '3', '--bail'];
  const { status, error } = poolctl([...chosen, ...how], mostMs);
  if (error !== undefined) return 'hung';
  return status === 0 ? 'passed' : 'failed';
}

/** @returns {readonly string[]} */
function scenarioNames() {
  const { stdout } = poolctl(['--list', '--format', 'json'], MOST_MS.replays);
  /** @type {{ scenarios: { name: string }[] }} */
  const { scenarios } = JSON.parse(stdout);
  return scenarios.map(({ name }) => name);
}

/**
 * @param {readonly string[]} args
 * @param {number} timeout
 */
function poolctl(args, timeout) {
  const bin = join(copy, 'dist/bin/poolctl.js');
  return spawnSync(process.execPath, [bin, 'ib', 'stress', ...args], {
    encoding: 'utf8',
    timeout,
    killSignal: 'SIGKILL',
  });
}
