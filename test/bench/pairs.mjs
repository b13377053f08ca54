// Whether two runs of the same work are told apart: `npm run bench:pairs`. Each pair is two real load tests, one after the
// other, and `poolctl compare` between them. Of 40 pairs it may report a difference in 2 at most.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `npm run bench:pairs -- [options] [-- options of loadtest]
  --pairs N      pairs of runs (default 40)
  --seconds S    of each run (default 6)
  --target URL   what is tested (default: the built-in SQLite target)
`;
/** One in twenty. */
const MOST_DIFFERENT = 0.05;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', default: false },
    pairs: { type: 'string', default: '40' },
    seconds: { type: 'string', default: '6' },
    target: { type: 'string' },
  },
});
const bin = join(import.meta.dirname, '../../dist/bin/poolctl.js');

if (options.help) process.stdout.write(HELP);
else if (!existsSync(bin)) fail('nothing is built: run npm run build first');
else main();

function main() {
  const folder = mkdtempSync(join(tmpdir(), 'poolctl-pairs-'));
  const pairs = Number(options.pairs);
  let different = 0;
  try {
    for (let pair = 1; pair <= pairs; pair++) {
      const [before, after] = [run(folder, 'before'), run(folder, 'after')];
      const shifts = shiftsOf(before, after);
      if (shifts.length > 0) different++;
      process.stdout.write(`pair ${pair}: ${shifts.length === 0 ? 'no difference' : shifts.join(', ')}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const most = Math.floor(pairs * MOST_DIFFERENT);
  process.stdout.write(`${different} of ${pairs} pairs reported as different (allowed: ${most})\n`);
  if (different > most) process.exitCode = 1;
}

/**
 * @param {string} folder
 * @param {string} name
 * @returns {string} the file of its result
 */
function run(folder, name) {
  const target = options.target === undefined ? [] : [options.target];
  const argv = [
    'loadtest',
    ...target,
    '--duration',
    `${options.seconds}s`,
    '--format',
    'json',
    ...positionals,
  ];
  const file = join(folder, `${name}.json`);
  writeFileSync(file, poolctl(argv));
  return file;
}

/**
 * @param {string} before
 * @param {string} after
 * @returns {string[]} the figures that are said to be better or worse
 */
function shiftsOf(before, after) {
  /** @type {{ metrics: readonly { id: string, shift: string | null }[] }} */
  const { metrics } = JSON.parse(poolctl(['compare', before, after, '--format', 'json']));
  return metrics
    .filter(({ shift }) => shift === 'better' || shift === 'worse')
    .map(({ id, shift }) => `${id} ${shift}`);
}

/** @param {readonly string[]} argv */
function poolctl(argv) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [bin, ...argv], { encoding: 'utf8' });
  // 1 is a verdict, or a regression; the result is there all the same.
  if (status !== 0 && status !== 1)
    throw new Error(`poolctl ${argv.join(' ')} ended with ${status}\n${stderr}`);
  return stdout;
}

/** @param {string} message */
function fail(message) {
  process.stderr.write(`bench: ${message}\n`);
  process.exitCode = 2;
}
