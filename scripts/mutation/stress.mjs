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
/** A run that takes longer hangs: the fault is found. */
const MOST_MS = 240_000;

const { values } = parseArgs({
  options: {
    sample: { type: 'string', default: '60' },
    seed: { type: 'string', default: 'poolctl' },
  },
});
const size = Number(values.sample);
if (!Number.isSafeInteger(size) || size < 1) {
  process.stderr.write('usage: npm run mutation:stress [-- --sample N] [--seed TEXT]\n');
  process.exit(2);
}

mkdirSync(FOLDER, { recursive: true });
const copy = mkdtempSync(join(FOLDER, 'stress-'));
try {
  cpSync('dist', join(copy, 'dist'), { recursive: true });
  cpSync('package.json', join(copy, 'package.json'));
  const unchanged = stress();
  if (unchanged !== 'passed')
    throw new Error(`ib stress ${unchanged} on the pool as it is: no mutant would say anything`);
  const listed = equivalents();
  const all = (await mutantsOf(FILES)).filter((mutant) => !listed.some((one) => isSame(one, mutant)));
  const sample = sampleOf(all, { size, seed: values.seed, folder: FOLDER });
  /** @type {Mutant[]} */
  const survivors = [];
  for (const [at, mutant] of sample.entries()) {
    const outcome = withMutant(mutant, stress);
    if (outcome === 'passed') survivors.push(mutant);
    process.stdout.write(
      `${at + 1} of ${sample.length}: ${outcome === 'passed' ? 'survived' : outcome} ${mutant.file}:${mutant.line}\n`,
    );
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

/** @returns {'passed' | 'failed' | 'hung'} */
function stress() {
  const bin = join(copy, 'dist/bin/poolctl.js');
  /** @param {string[]} args */
  const run = (args) =>
    spawnSync(process.execPath, [bin, 'ib', 'stress', ...args], { encoding: 'utf8', timeout: MOST_MS });
  const { stdout } = run(['--list', '--format', 'json']);
  /** @type {{ scenarios: { name: string }[] }} */
  const { scenarios } = JSON.parse(stdout);
  const names = scenarios.map(({ name }) => name).filter((name) => name !== ALONE);
  const chosen = names.flatMap((name) => ['--scenario', name]);
  const { status, error } = run([...chosen, '--jobs', String(names.length), '--patience', '3']);
  if (error !== undefined) return 'hung';
  return status === 0 ? 'passed' : 'failed';
}
