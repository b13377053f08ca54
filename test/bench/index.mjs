// What the pool costs, beside other pools in the same run: `npm run bench` (`-- --help` says more). Single figures
// move with the machine; the ratios within one run are what counts, and CPU time moves less than throughput.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { contenders } from './contenders.mjs';
import { profile } from './profile.mjs';
import { median, medianAndRange, table } from './statistics.mjs';

/**
 * @typedef {import('./child.mjs').Cycles} Cycles
 * @typedef {import('./contenders.mjs').Contender} Contender
 * @typedef {Contender & { readonly label: string, readonly build: string }} Entry a contender, of a certain build
 */

const HELP = `npm run bench -- [options]
  --quick            fewer rounds, shorter ones, a smaller storm: about half a minute
  --rounds N         rounds of each measurement (default 6; 3 with --quick)
  --only NAME        only contenders whose name contains NAME (repeatable)
  --regime NAME      only this one: '1/10', '50/10', '1000/10', storm or parts (repeatable)
  --build DIR        the compiled project to measure (default dist); give several to compare them
  --profile          show what takes the time in our own pools, instead of measuring
`;

const REGIMES = [
  { name: '1/10', title: '1 worker on 10', load: { workers: 1, holds: false } },
  {
    name: '50/10',
    title: '50 workers on 10, holding over one microtask',
    load: { workers: 50, holds: true },
  },
  {
    name: '1000/10',
    title: '1000 workers on 10, holding over one microtask',
    load: { workers: 1000, holds: true },
  },
];
/** What we want to see, by the side it is compared with. */
const AT_LEAST = { peer: { '1/10': 2, '50/10': 1.5, '1000/10': 1.5 }, limit: 0.8 };

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    regime: { type: 'string', multiple: true, default: [] },
    build: { type: 'string', multiple: true, default: [join(import.meta.dirname, '../../dist')] },
    profile: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 3 : 6));
const builds = options.build.map((build) => resolve(build));
const missing = builds.filter((build) => !existsSync(join(build, 'src/pool/queue-pool.js')));
const wanted = (/** @type {string} */ regime) =>
  options.regime.length === 0 || options.regime.includes(regime);

if (options.help) print(HELP);
else if (missing.length > 0) fail(`nothing is built in ${missing.join(', ')}: run npm run build first`);
else if (!(rounds >= 1)) fail(`--rounds must be a number from 1, got ${options.rounds}`);
else if (options.profile) showProfiles();
else {
  print(
    `Node ${process.version}, ${rounds} rounds, each measurement in a process of its own, pools taken in turn`,
  );
  for (const regime of REGIMES) if (wanted(regime.name)) showRegime(regime);
  if (wanted('storm')) showStorm();
  if (wanted('parts')) showParts();
}

// ---- acquire and release ---------------------------------------------------------------------------------------

/** @param {typeof REGIMES[number]} regime */
function showRegime({ name, title, load }) {
  const warmUpMs = options.quick ? 100 : 150;
  const ms = options.quick ? 250 : 500;
  const entries = entriesOf(() => true);
  /** @type {Map<Entry, Cycles[]>} */
  const results = new Map(entries.map((entry) => [entry, []]));
  for (let round = 0; round < rounds; round++) {
    for (const entry of entries) {
      progress(`${name} round ${round + 1} of ${rounds}: ${entry.label}`);
      const job = { kind: 'cycles', contender: entry.name, build: entry.build, load, warmUpMs, ms };
      const measured = /** @type {Cycles | null} */ (runChild(job, ['--expose-gc']));
      if (measured !== null) results.get(entry)?.push(measured);
    }
  }
  const rows = entries.map((entry) => {
    const cycles = results.get(entry) ?? [];
    return [
      entry.label,
      medianAndRange(
        cycles.map(({ perSecond }) => perSecond / 1e6),
        (value) => value.toFixed(2),
      ),
      medianAndRange(
        cycles.map(({ cpuUs }) => cpuUs),
        (value) => value.toFixed(3),
      ),
      bytesPerCycle(entry, load),
    ];
  });
  progress('');
  print(`\nacquire + release, ${title}`);
  print(table([['pool', 'M/s median (range)', 'CPU us/cycle median (range)', 'B/cycle'], ...rows]));
  showRatios(name, results);
}

/**
 * @param {Entry} entry
 * @param {typeof REGIMES[number]['load']} load
 */
function bytesPerCycle(entry, load) {
  // Wide enough a nursery that nothing is collected while the bytes are counted.
  const flags = ['--expose-gc', '--max-semi-space-size=64', '--min-semi-space-size=64'];
  const job = { kind: 'bytes', contender: entry.name, build: entry.build, load };
  const { bytes = null } = /** @type {import('./child.mjs').Bytes | null} */ (runChild(job, flags)) ?? {};
  return bytes === null ? '-' : bytes.toFixed(0);
}

/**
 * @param {string} regime
 * @param {Map<Entry, Cycles[]>} results
 */
function showRatios(regime, results) {
  const speed = (/** @type {Entry} */ entry) =>
    median((results.get(entry) ?? []).map((each) => each.perSecond));
  const [bestPeer] = [...results.keys()]
    .filter(({ side }) => side === 'peer')
    .sort((a, b) => speed(b) - speed(a));
  const limits = [...results.keys()].filter(({ side }) => side === 'limit');
  for (const ours of results.keys()) {
    if (ours.side !== 'ours') continue;
    const lean = ours.name.includes('lean');
    const target = lean ? AT_LEAST.limit : AT_LEAST.peer[/** @type {'1/10'} */ (regime)];
    for (const other of lean ? limits : bestPeer ? [bestPeer] : []) {
      const [a, b] = [results.get(ours) ?? [], results.get(other) ?? []];
      const perSecond = a.map((each, round) => each.perSecond / (b[round]?.perSecond ?? Number.NaN));
      const cpu = a.map((each, round) => (b[round]?.cpuUs ?? Number.NaN) / each.cpuUs);
      const twoDigits = (/** @type {number} */ value) => value.toFixed(2);
      print(
        `  ${ours.label} / ${other.label}: ${medianAndRange(perSecond, twoDigits)} by throughput, ` +
          `${medianAndRange(cpu, twoDigits)} by CPU time (wanted: ${target})`,
      );
    }
  }
}

// ---- time-outs, parts, profiles --------------------------------------------------------------------------------

function showStorm() {
  const waiters = options.quick ? 10_000 : 30_000;
  const stormRounds = Math.min(rounds, 3);
  const entries = entriesOf(({ timed, name }) => timed && name !== 'poolctl lean');
  /** @type {Map<Entry, import('./child.mjs').Storm[]>} */
  const results = new Map(entries.map((entry) => [entry, []]));
  for (let round = 0; round < stormRounds; round++) {
    for (const entry of entries) {
      progress(`storm round ${round + 1} of ${stormRounds}: ${entry.label}`);
      const job = { kind: 'storm', contender: entry.name, build: entry.build, waiters, timeoutMs: 500 };
      const measured = /** @type {import('./child.mjs').Storm | null} */ (runChild(job, ['--expose-gc']));
      if (measured !== null && measured.rejected === waiters) results.get(entry)?.push(measured);
    }
  }
  const whole = (/** @type {number} */ value) => value.toFixed(0);
  const rows = [...results].map(([entry, storms]) => [
    entry.label,
    medianAndRange(
      storms.map(({ enqueuedMs }) => enqueuedMs),
      whole,
    ),
    medianAndRange(
      storms.map(({ settledMs }) => settledMs),
      whole,
    ),
    medianAndRange(
      storms.map(({ gapMs }) => gapMs),
      (value) => value.toFixed(1),
    ),
    medianAndRange(
      storms.map(({ idleGapMs }) => idleGapMs),
      (value) => value.toFixed(1),
    ),
  ]);
  progress('');
  print(`\n${waiters.toLocaleString('en-US')} acquires on a pool all lent out, timing out after 500 ms`);
  const heading = [
    'pool',
    'called in ms',
    'all rejected at ms',
    'longest event-loop gap ms',
    '... with nothing to do',
  ];
  print(table([heading, ...rows]));
}

function showParts() {
  for (const build of builds) {
    const parts = /** @type {import('./parts.mjs').Parts | null} */ (runChild({ kind: 'parts', build }, []));
    if (parts === null) continue;
    print(`\nparts${builds.length > 1 ? ` [${relative('', build)}]` : ''}`);
    print(
      table([
        ['a histogram sample recorded', `${parts.histogramRecordNs.toFixed(1)} ns`],
        ['performance.now()', `${parts.performanceNowNs.toFixed(1)} ns`],
        ['systemClock.now()', `${parts.clockNs.toFixed(1)} ns`],
        ['snapshot() of a fresh pool, 10 idle', `${parts.freshSnapshotUs.toFixed(1)} us`],
        ['snapshot() of a used pool, 10 idle', `${parts.usedSnapshotUs.toFixed(1)} us`],
      ]),
    );
  }
}

function showProfiles() {
  for (const entry of entriesOf(({ side }) => side === 'ours')) {
    for (const { name, title, load } of REGIMES) {
      if (!wanted(name)) continue;
      const job = {
        kind: 'cycles',
        contender: entry.name,
        build: entry.build,
        load,
        warmUpMs: 300,
        ms: 2000,
      };
      const heaviest = profile((flags) => runChild(job, ['--expose-gc', ...flags]), 18);
      print(`\n${entry.label}, ${title}: own time`);
      print(table(heaviest.map((each) => [`  ${each.name}`, `${(each.share * 100).toFixed(1)} %`])));
    }
  }
}

// ---- running -----------------------------------------------------------------------------------------------------

/**
 * @param {(contender: Contender) => boolean} chosen
 * @returns {Entry[]}
 */
function entriesOf(chosen) {
  return contenders
    .filter(({ name }) => options.only.length === 0 || options.only.some((part) => name.includes(part)))
    .filter(chosen)
    .flatMap((contender) =>
      contender.side === 'ours' && builds.length > 1
        ? builds.map((build) => ({
            ...contender,
            build,
            label: `${contender.name} [${relative('', build)}]`,
          }))
        : [{ ...contender, build: builds[0] ?? '', label: contender.name }],
    );
}

/**
 * What the job measured; null, and a line on stderr, if it failed or hung.
 * @param {object} job
 * @param {readonly string[]} flags
 * @returns {unknown}
 */
function runChild(job, flags) {
  const child = join(import.meta.dirname, 'child.mjs');
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [...flags, child, JSON.stringify(job)],
    {
      encoding: 'utf8',
      timeout: 60_000,
    },
  );
  if (status === 0) return JSON.parse(stdout);
  process.stderr.write(`${JSON.stringify(job)} failed (${signal ?? status})\n${stderr}\n`);
  return null;
}

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

/** @param {string} text */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** @param {string} message */
function fail(message) {
  process.stderr.write(`bench: ${message}\n`);
  process.exitCode = 2;
}
