// `npm run mutation -- src/pool`: plants faults in a room, one at a time, and lists those that its tests do not notice.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mutantsOf } from './mutants.mjs';
import { ROOMS } from './rooms.mjs';
import { brief, equivalents, isSame, sampleOf } from './sample.mjs';
import { runStryker } from './stryker.mjs';

/** @typedef {import('./mutants.mjs').Mutant} Mutant */
/** @typedef {import('./stryker.mjs').Status | 'equivalent'} Status */
/** @typedef {import('./sample.mjs').Name} Name */

/** For reports and working copies; git ignores it. */
const FOLDER = 'coverage/mutation';
const USAGE = `usage: npm run mutation -- ROOM|FILE... [--sample N] [--seed TEXT] [--survivors]

  --sample N     number of mutants (default: 150)
  --seed TEXT    seed of the sample (default: poolctl)
  --survivors    only the survivors of the last run

rooms: ${Object.keys(ROOMS).join(', ')}
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string', default: '150' },
    seed: { type: 'string', default: 'poolctl' },
    survivors: { type: 'boolean', default: false },
  },
});
const size = Number(values.sample);
const targets = positionals.map(targetOf);
if (targets.length === 0 || targets.includes(null) || !Number.isSafeInteger(size) || size < 1) {
  process.stderr.write(USAGE);
  process.exit(2);
}
for (const target of targets) if (target !== null) await run(target);

/**
 * @typedef {object} Target
 * @property {string} path
 * @property {import('./rooms.mjs').Room} room
 * @property {readonly string[]} files
 */

/**
 * The room of this name, or a file with the room that it belongs to.
 *
 * @param {string} argument
 * @returns {Target | null}
 */
function targetOf(argument) {
  const path = argument.replace(/^\.\//, '').replace(/\/$/, '');
  const names = Object.keys(ROOMS).filter((name) => path === name || path.startsWith(`${name}/`));
  const name = names.sort((a, b) => b.length - a.length)[0];
  const room = name === undefined ? undefined : ROOMS[name];
  if (room === undefined || (path !== name && !existsSync(path))) return null;
  return { path, room, files: (path === name ? room.mutate : [path]).flatMap(sourcesIn) };
}

/** @param {string} path */
function sourcesIn(path) {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  return names.filter((name) => /\.tsx?$/.test(name)).map((name) => `${path}/${name.replaceAll('\\', '/')}`);
}

/** @param {Target} target */
async function run({ path, room, files }) {
  const startedMs = Date.now();
  const report = join(FOLDER, path.replaceAll('/', '-'));
  const all = await mutantsOf(files);
  const listed = equivalents();
  const sample = values.survivors
    ? lastSurvivors(report, all)
    : sampleOf(all, { size, seed: values.seed, folder: FOLDER });
  const tested = sample.filter((mutant) => !listed.some((one) => isSame(one, mutant)));
  const statuses = await runStryker(room, tested, report);
  const outcomes = sample.map((mutant) => {
    /** @type {Status} */
    const status = tested.includes(mutant) ? (statuses.get(mutant.place) ?? 'survived') : 'equivalent';
    return { status, ...mutant };
  });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${report}.json`, `${JSON.stringify(outcomes, null, 2)}\n`);

  const gone = listed.filter((one) => files.includes(one.file) && !all.some((mutant) => isSame(one, mutant)));
  const survivors = outcomes.filter(({ status }) => status === 'survived');
  /** @param {Status} status */
  const count = (status) => outcomes.filter((one) => one.status === status).length;
  const killed = count('killed');
  const minutes = ((Date.now() - startedMs) / 60_000).toFixed(1);
  const lines = [
    ...survivors.map(
      (one) => `${one.file}:${one.line}\n  - ${brief(one.original)}\n  + ${brief(one.replacement)}`,
    ),
    ...gone.map(
      (one) => `equivalent.json lists a mutant of ${one.file} that is gone: ${brief(one.original)}`,
    ),
    `${path}: ${((100 * killed) / (killed + survivors.length)).toFixed(1)} % killed ` +
      `(${killed} killed, ${survivors.length} survived, ${count('equivalent')} equivalent, ${count('static')} static; ` +
      `sample of ${sample.length} from ${all.length}; ${minutes} min)`,
    `report: ${report}.html, ${report}.json`,
  ];
  process.stdout.write(`\n${lines.join('\n')}\n`);
}

/**
 * @param {string} report
 * @param {readonly Mutant[]} all
 */
function lastSurvivors(report, all) {
  /** @type {(Name & { status: Status })[]} */
  const last = JSON.parse(readFileSync(`${report}.json`, 'utf8'));
  const survivors = last.filter(({ status }) => status === 'survived');
  return all.filter((mutant) => survivors.some((one) => isSame(one, mutant)));
}
