#!/usr/bin/env node
// How often findings of each confidence are right: audits repositories with labelled acquire calls.
//
//   node scripts/calibration.mjs --repos DIR --sites FILE [--show]
//
// DIR has a git repository for each label, in a folder named `owner+name`. FILE has one label a line, as JSON:
// {repo, commit, path, line, verdict: 'leak' | 'safe', test, repo_coverage}. An error within one line of a label is
// right if the label says `leak`. An error without a label is wrong where the repository is `production-complete` and
// the file is no test; elsewhere it does not count. Every third repository is held back: its figures stand apart, so
// that what was tuned on the others can be checked. --show lists the wrong findings of the others.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** @typedef {{ repo: string, commit: string, path: string, line: number, verdict: 'leak' | 'safe', repo_coverage: string }} Label */
/** @typedef {{ file: string, line: number, severity: string, confidence: string, rule: string, resource: string, message: string }} Finding */
/** @typedef {{ confidence: string, isRight: boolean, isHeldBack: boolean, at: string, resource: string }} Judged */

const TEST = /(^|\/)(tests?|__tests__|spec|e2e|examples?|fixtures|cypress)\/|\.(test|spec)\.[cm]?[jt]sx?$/i;
const SOURCE = /\.([cm]?[jt]sx?|json|vue|svelte|astro)$|(^|\/)\.gitignore$/;

const { values } = parseArgs({
  options: {
    repos: { type: 'string' },
    sites: { type: 'string' },
    show: { type: 'boolean', default: false },
  },
});
const { repos, sites, show } = values;
if (repos === undefined || sites === undefined) {
  warn('usage: calibration.mjs --repos DIR --sites FILE [--show]');
  process.exit(2);
}

/** @type {Map<string, Label[]>} */
const groups = new Map();
for (const line of readFileSync(sites, 'utf8').split('\n').filter(Boolean)) {
  /** @type {Label} */
  const label = JSON.parse(line);
  const key = `${label.repo}@${label.commit}`;
  groups.set(key, [...(groups.get(key) ?? []), label]);
}
const names = [...new Set([...groups.values()].flatMap(([first]) => first?.repo ?? []))];
const order = names.sort((a, b) => (digest(a) < digest(b) ? -1 : 1));
const heldBack = new Set(order.filter((_, at) => at % 3 === 2));

/** @type {Judged[]} */
const judged = [];
for (const [key, labels] of groups) {
  const tree = mkdtempSync(join(tmpdir(), 'calibration-'));
  try {
    const findings = checkOut(key, tree) ? auditOf(tree) : null;
    if (findings === null) warn(`not audited: ${key}`);
    else judged.push(...judge(key, labels, findings));
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
for (const isHeldBack of [false, true]) {
  say(isHeldBack ? '\nheld back' : 'repositories');
  for (const confidence of ['high', 'medium', 'low']) {
    const own = judged.filter((one) => one.isHeldBack === isHeldBack && one.confidence === confidence);
    const right = own.filter(({ isRight }) => isRight).length;
    const share = own.length === 0 ? '-' : `${((100 * right) / own.length).toFixed(1)} %`;
    say(
      `${confidence.padEnd(8)}${String(right).padStart(4)} of ${String(own.length).padStart(4)} right  ${share}`,
    );
  }
}
if (show)
  for (const { confidence, at, resource } of judged.filter((one) => !one.isRight && !one.isHeldBack))
    say(`wrong: ${confidence} ${resource} ${at}`);

/**
 * @param {string} key
 * @param {string} tree
 */
function checkOut(key, tree) {
  const [repo = '', commit = ''] = key.split('@');
  const base = join(repos ?? '', repo.replace('/', '+'));
  const git = [join(base, 'repo/.git'), join(base, 'repo'), join(base, '.git'), base].find((one) =>
    existsSync(join(one, 'HEAD')),
  );
  if (git === undefined) return false;
  /** @param {string[]} args */
  const run = (args, input = '') =>
    spawnSync('git', ['--git-dir', git, '--work-tree', tree, ...args], {
      input,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, GIT_INDEX_FILE: join(tree, '.index') },
    });
  if (run(['read-tree', commit]).status !== 0) return false;
  const files = run(['ls-files'])
    .stdout.split('\n')
    .filter((file) => SOURCE.test(file));
  // A copy may lack large files that no label needs.
  run(['checkout-index', '--force', '--quiet', '--stdin'], files.join('\n'));
  return true;
}

/**
 * @param {string} tree
 * @returns {Finding[] | null}
 */
function auditOf(tree) {
  const bin = join(import.meta.dirname, '../dist/bin/poolctl.js');
  const { stdout } = spawnSync(
    process.execPath,
    [bin, 'audit-leaks', '.', '--format', 'json', '--no-cache'],
    {
      cwd: tree,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  );
  try {
    return JSON.parse(stdout).findings.filter((/** @type {Finding} */ { severity }) => severity === 'error');
  } catch {
    return null;
  }
}

/**
 * @param {string} key
 * @param {readonly Label[]} labels
 * @param {readonly Finding[]} findings
 * @returns {Judged[]}
 */
function judge(key, labels, findings) {
  const isComplete = labels.some((one) => one.repo_coverage === 'production-complete');
  const isHeldBack = heldBack.has(labels[0]?.repo ?? '');
  return findings.flatMap(({ file, line, confidence, rule, resource }) => {
    const near = labels.filter((one) => one.path === file && Math.abs(one.line - line) <= 1);
    // Misuses are findings of their own; the labels are of leaks.
    if (rule !== 'leak') return [];
    if (near.length === 0 && (!isComplete || TEST.test(file))) return [];
    const isRight = near.some(({ verdict }) => verdict === 'leak');
    return [{ confidence, isRight, isHeldBack, at: `${key} ${file}:${line}`, resource }];
  });
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`);
}

/** @param {string} line */
function warn(line) {
  process.stderr.write(`${line}\n`);
}

/** @param {string} text */
function digest(text) {
  return createHash('sha256').update(text).digest('hex');
}
