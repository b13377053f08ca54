// `npm run mutation:stress`: plants faults in the broker pool, one at a time, and lists those that `ib stress` passes.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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
/** Gateways at once: with more of them, a machine of two cores is too busy for their scenarios to say anything. */
const JOBS = 6;
/**
 * A run hangs that takes this many times as long as on the pool as it is: the fault is found. No run is given less
 * than so many milliseconds, since a busy machine needs many times the second of a quiet one.
 */
const SLOWER = 8;
const LEAST_MS = { replays: 60_000, gateways: 240_000 };

const { values } = parseArgs({
  options: {
    sample: { type: 'string', default: '60' },
    seed: { type: 'string', default: 'poolctl' },
    quick: { type: 'boolean', default: false },
    resume: { type: 'boolean', default: false },
  },
});
const size = Number(values.sample);
if (!Number.isSafeInteger(size) || size < 1) {
  process.stderr.write('usage: npm run mutation:stress [-- --sample N] [--seed TEXT] [--quick] [--resume]\n');
  process.exit(2);
}

/** @typedef {'passed' | 'failed' | 'hung'} Outcome */
/** @typedef {Pick<Mutant, 'file' | 'in' | 'original' | 'replacement' | 'line'> & { by: string | null }} Verdict */

mkdirSync(FOLDER, { recursive: true });
/** As they are now: a run takes long, and they may be edited meanwhile. */
const texts = new Map(FILES.map((file) => [file, readFileSync(file, 'utf8')]));
/** The verdicts so far, for `--resume`. They hold for this very build. */
const journal = join(FOLDER, `stress-${values.seed}-${size}${values.quick ? '-quick' : ''}.json`);
const build = hashOf(['dist/src/ib', 'dist/src/lab']);
const copy = mkdtempSync(join(FOLDER, 'stress-'));
try {
  cpSync('dist', join(copy, 'dist'), { recursive: true });
  cpSync('package.json', join(copy, 'package.json'));
  const replays = Object.keys(REPLAYS);
  const gateways = scenarioNames().filter((name) => name !== ALONE && !replays.includes(name));
  const limits = {
    replays: limitOf(replays, replays.length, LEAST_MS.replays),
    gateways: values.quick ? 0 : limitOf(gateways, JOBS, LEAST_MS.gateways),
  };
  const listed = equivalents();
  const all = (await mutantsOf(FILES)).filter((mutant) => !listed.some((one) => isSame(one, mutant)));
  const sample = sampleOf(all, { size, seed: values.seed, folder: FOLDER });
  const known = values.resume ? verdictsBefore() : [];
  /** @type {Verdict[]} */
  const verdicts = [];
  for (const [at, mutant] of sample.entries()) {
    const before = known.find((one) => isSame(one, mutant));
    const by = before === undefined ? judge(mutant, { replays, gateways, limits }) : before.by;
    const { file, in: line, original, replacement } = mutant;
    verdicts.push({ file, in: line, original, replacement, line: mutant.line, by });
    writeFileSync(journal, JSON.stringify({ build, verdicts }));
    const what = `${by === null ? 'survived' : `found by ${by}`}${before === undefined ? '' : ', before'}`;
    process.stdout.write(`${at + 1} of ${sample.length}: ${what} ${file}:${mutant.line}\n`);
  }
  process.stdout.write(`\n${summary(verdicts, all.length)}\n`);
} finally {
  rmSync(copy, { recursive: true, force: true });
}

/**
 * The first that notices the mutant, the cheapest first; null if none does.
 *
 * @param {Mutant} mutant
 * @param {{ replays: readonly string[], gateways: readonly string[], limits: { replays: number, gateways: number } }} how
 * @returns {string | null}
 */
function judge(mutant, { replays, gateways, limits }) {
  const [nearest = ''] = Object.entries(REPLAYS).find(([, part]) => mutant.file.startsWith(part)) ?? [];
  const others = replays.filter((name) => name !== nearest);
  for (const names of [[nearest], others]) {
    const { outcome, failed } = withMutant(mutant, () => stress(names, names.length, limits.replays));
    if (outcome !== 'passed') return failed[0] ?? 'a replay that hangs';
  }
  if (values.quick) return null;
  const first = withMutant(mutant, () => stress(gateways, JOBS, limits.gateways));
  if (first.outcome === 'passed') return null;
  // They need time that a busy machine may not have: only what fails twice, and passes without the mutant, is its doing.
  const suspects = first.failed.length === 0 ? gateways : first.failed;
  const again = withMutant(mutant, () => stress(suspects, JOBS, limits.gateways));
  if (again.outcome === 'passed' || stress(suspects, JOBS, limits.gateways).outcome !== 'passed') return null;
  return again.failed[0] ?? 'a gateway that is waited for';
}

/**
 * @template T
 * @param {Mutant} mutant
 * @param {() => T} work
 */
function withMutant({ file, from, original, replacement }, work) {
  const built = join(copy, 'dist', file.replace(/\.ts$/, '.js'));
  const before = readFileSync(built, 'utf8');
  const text = texts.get(file) ?? '';
  const changed = text.slice(0, from) + replacement + text.slice(from + original.length);
  try {
    writeFileSync(built, transformSync(changed, { loader: 'ts', format: 'esm', target: 'node20' }).code);
    return work();
  } finally {
    writeFileSync(built, before);
  }
}

/**
 * How long these scenarios may take. Throws if the pool as it is does not pass them: no mutant would say anything.
 *
 * @param {readonly string[]} names
 * @param {number} jobs
 * @param {number} leastMs
 */
function limitOf(names, jobs, leastMs) {
  const since = performance.now();
  const { outcome, failed, complaint } = stress(names, jobs, SLOWER * leastMs);
  if (outcome !== 'passed')
    throw new Error(
      `ib stress does not pass on the pool as it is: ${outcome} ${failed.join(', ')} ${complaint}`,
    );
  return Math.ceil(Math.max(leastMs, SLOWER * (performance.now() - since)));
}

/**
 * @param {readonly string[]} names
 * @param {number} jobs
 * @param {number} mostMs
 * @returns {{ outcome: Outcome, failed: readonly string[], complaint: string }}
 */
function stress(names, jobs, mostMs) {
  const chosen = names.flatMap((name) => ['--scenario', name]);
  const how = ['--jobs', String(jobs), '--patience', '3', '--bail', '--format', 'json'];
  const { status, error, stdout, stderr } = poolctl([...chosen, ...how], mostMs);
  if (error !== undefined) return { outcome: 'hung', failed: [], complaint: error.message };
  return { outcome: status === 0 ? 'passed' : 'failed', failed: failedIn(stdout), complaint: stderr };
}

/**
 * The names of the runs that failed. A mutant that breaks the command itself leaves no result.
 *
 * @param {string} stdout
 * @returns {readonly string[]}
 */
function failedIn(stdout) {
  try {
    /** @type {{ runs: { name: string, outcome: string }[] }} */
    const { runs } = JSON.parse(stdout);
    return runs.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
  } catch {
    return [];
  }
}

/** @returns {readonly string[]} */
function scenarioNames() {
  const { stdout } = poolctl(['--list', '--format', 'json'], LEAST_MS.replays);
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
    maxBuffer: 2 ** 28,
  });
}

/**
 * The verdicts of an earlier run with the same sample; none where the build has changed since.
 *
 * @returns {readonly Verdict[]}
 */
function verdictsBefore() {
  if (!existsSync(journal)) return [];
  /** @type {{ build: string, verdicts: Verdict[] }} */
  const before = JSON.parse(readFileSync(journal, 'utf8'));
  if (before.build === build) return before.verdicts;
  process.stdout.write('the build has changed since the last run: all mutants are run again\n');
  return [];
}

/** @param {readonly string[]} folders */
function hashOf(folders) {
  const hash = createHash('sha256');
  for (const folder of folders) {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
      if (name.endsWith('.js')) hash.update(name).update(readFileSync(join(folder, name)));
    }
  }
  return hash.digest('hex');
}

/**
 * @param {readonly Verdict[]} verdicts
 * @param {number} all
 */
function summary(verdicts, all) {
  const parts = [...new Set(verdicts.map(({ file }) => file))];
  const rows = parts.map((part) => {
    const its = verdicts.filter(({ file }) => file === part);
    const replayed = its.filter(({ by }) => by?.includes('replay')).length;
    const survived = its.filter(({ by }) => by === null).length;
    const found = its.length - survived - replayed;
    return [part, its.length, replayed, found, survived];
  });
  const table = [['file', 'mutants', 'by replays', 'by gateways', 'survived'], ...rows];
  const survivors = verdicts.filter(({ by }) => by === null);
  const found = verdicts.length - survivors.length;
  return [
    ...table.map(
      ([name, ...counts]) =>
        `${String(name).padEnd(32)}${counts.map((one) => String(one).padStart(13)).join('')}`,
    ),
    '',
    ...survivors.map(
      (one) => `${one.file}:${one.line}\n  - ${brief(one.original)}\n  + ${brief(one.replacement)}`,
    ),
    `ib stress found ${found} of ${verdicts.length} mutants (${((100 * found) / verdicts.length).toFixed(1)} %), from ${all}`,
  ].join('\n');
}
