// How fast the audit is, beside the type check of TypeScript 6 on the same tree in the same run: `npm run bench:audit`.
// The tree is made up (audit-tree.mjs). TypeScript 6 is the last one that is written in JavaScript and is no part of this
// project: it is installed with npm into a scratch folder, which needs the network, unless --tsc says where it is.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeTree } from './audit-tree.mjs';
import { median, table } from './statistics.mjs';

const TYPESCRIPT = '6.0.3';
const HELP = `npm run bench:audit -- [options]
  --lines N     of the tree (default 470000)
  --density N   of acquire calls and candidate files, times that of the sample (default 1; repeatable)
  --rounds N    of each (default 3)
  --tsc PATH    the tsc of a TypeScript 6 that is there already
  --no-compare  the audit alone
`;

const { values: options } = parseArgs({
  allowNegative: true,
  options: {
    help: { type: 'boolean', default: false },
    lines: { type: 'string', default: '470000' },
    density: { type: 'string', multiple: true, default: ['1'] },
    rounds: { type: 'string', default: '3' },
    tsc: { type: 'string' },
    compare: { type: 'boolean', default: true },
    dist: { type: 'string', default: join(import.meta.dirname, '../../dist') },
  },
});
const bin = join(options.dist, 'bin/poolctl.js');
const types = join(import.meta.dirname, '../../node_modules/@types');

/** @typedef {{ seconds: number, cpuSeconds: number, megabytes: number, code: number | null }} Run */

if (options.help) print(HELP);
else if (!existsSync(bin)) {
  process.stderr.write('bench: nothing is built: run npm run build first\n');
  process.exitCode = 2;
} else await main();

async function main() {
  const scratch = mkdtempSync(join(tmpdir(), 'poolctl-bench-audit-'));
  try {
    const tsc = options.compare ? findTsc(scratch) : null;
    for (const density of options.density) await measure(scratch, Number(density), tsc);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @param {string} scratch @param {number} density @param {string | null} tsc */
async function measure(scratch, density, tsc) {
  const folder = join(scratch, `tree-${density}`);
  const tree = writeTree(folder, { lines: Number(options.lines), density, types });
  print(
    `Node ${process.version}; ${count(tree.lines)} lines in ${count(tree.files)} files, about ${count(tree.acquires)} acquire calls (${density} x the density of the sample); ${options.rounds} rounds, taken in turn`,
  );
  const argv = [bin, 'audit-leaks', folder, '--format', 'json', '--output', join(scratch, 'out.json')];
  /** @type {Run[]} */
  const audits = [];
  /** @type {Run[]} */
  const repeated = [];
  /** @type {Run[]} */
  const checks = [];
  // Fills the cache of the repeated runs.
  await timed(scratch, argv);
  for (let round = 0; round < Number(options.rounds); round++) {
    audits.push(await timed(scratch, [...argv, '--no-cache']));
    repeated.push(await timed(scratch, argv));
    if (tsc !== null) checks.push(await timed(scratch, [tsc, '--noEmit', '-p', folder]));
  }
  const { summary, findings } = JSON.parse(readFileSync(join(scratch, 'out.json'), 'utf8'));
  const rows = [
    ['', 'time', 'CPU', 'peak memory'],
    row('poolctl audit-leaks', audits),
    row('... repeated', repeated),
  ];
  if (tsc !== null) rows.push(row(`tsc --noEmit (TypeScript ${TYPESCRIPT})`, checks));
  print(table(rows));
  print(
    `followed ${count(summary.acquireCalls)} acquire calls in ${count(summary.parsed)} parsed files, ${count(findings.length)} findings`,
  );
  const failed = checks.find(({ code }) => code !== 0);
  if (failed !== undefined)
    print(`tsc ended with ${failed.code}: the tree does not type-check, and the comparison is void`);
  else if (tsc !== null) {
    const ratio = (/** @type {(run: Run) => number} */ of) => median(checks.map(of)) / median(audits.map(of));
    print(
      `the audit is ${ratio(({ seconds }) => seconds).toFixed(1)} times faster, with ${ratio(({ cpuSeconds }) => cpuSeconds).toFixed(1)} times less CPU`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
}

/** @param {string} name @param {readonly Run[]} runs */
function row(name, runs) {
  const middle = (/** @type {(run: Run) => number} */ of) => median(runs.map(of));
  return [
    name,
    `${middle(({ seconds }) => seconds).toFixed(2)} s`,
    `${middle(({ cpuSeconds }) => cpuSeconds).toFixed(2)} s`,
    `${middle(({ megabytes }) => megabytes).toFixed(0)} MB`,
  ];
}

/**
 * Runs a script in a process of its own, which says at its end what it used.
 * @param {string} scratch
 * @param {readonly string[]} argv
 * @returns {Promise<Run>}
 */
async function timed(scratch, argv) {
  const [probe, used] = [join(scratch, 'probe.cjs'), join(scratch, 'used.json')];
  writeFileSync(
    probe,
    `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(used)}, JSON.stringify(process.resourceUsage())));`,
  );
  const started = process.hrtime.bigint();
  const child = spawn(process.execPath, ['--require', probe, ...argv], { stdio: 'ignore' });
  const code = await new Promise((done) => child.on('exit', done));
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const { userCPUTime, systemCPUTime, maxRSS } = JSON.parse(readFileSync(used, 'utf8'));
  return { seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, megabytes: maxRSS / 1024, code };
}

/** @param {string} scratch */
function findTsc(scratch) {
  if (options.tsc !== undefined) return resolve(options.tsc);
  print(`installing TypeScript ${TYPESCRIPT} into a scratch folder`);
  writeFileSync(join(scratch, 'package.json'), '{ "private": true }');
  const { status, stderr } = spawnSync('npm', ['install', '--silent', `typescript@${TYPESCRIPT}`], {
    cwd: scratch,
    encoding: 'utf8',
  });
  if (status === 0) return join(scratch, 'node_modules/typescript/bin/tsc');
  print(`not compared with it: npm install failed: ${stderr.trim().split('\n')[0]}`);
  return null;
}

/** @param {number} value */
function count(value) {
  return value.toLocaleString('en');
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line.trimEnd()}\n`);
}
