import { existsSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Baseline, baselineOf, parseBaseline, withoutBaseline } from '../src/audit/baseline.js';
import { type AuditCache, cacheKey, cacheSecret, openCache } from '../src/audit/cache.js';
import { affects, type Changes, changesSince } from '../src/audit/changed.js';
import { findFiles, isSourceName, type LocatedFile } from '../src/audit/code/files.js';
import { explain, markdownPage } from '../src/audit/explain.js';
import { applyPolicy, unknownRule } from '../src/audit/policy.js';
import { renamed } from '../src/audit/rename.js';
import { isBelow, nameFrom, realOf, repositoryAround } from '../src/audit/repository.js';
import { customResource } from '../src/audit/resources/custom.js';
import { auditInThread } from '../src/audit/thread.js';
import type { AuditOptions, AuditResult, DetailedAudit, Finding } from '../src/audit/types.js';
import { byWeight } from '../src/audit/weight.js';
import { fileFault } from '../src/base/file-fault.js';
import { defineCommand } from '../src/cli/command.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { replaceFile } from '../src/cli/replace-file.js';
import { renderReport } from '../src/report/registry.js';
import { type Context, options, pathsArgument } from './audit-leaks-options.js';

export const command = defineCommand({
  name: 'audit-leaks',
  summary: 'find connection leaks in source code',
  description:
    'Follows every lease of a connection pool (pg, mysql2, TypeORM, Knex, Sequelize, MongoDB, SQLite and your own\n' +
    'functions) along every path of TypeScript and JavaScript code. Reports each path that skips the release.',
  arguments: pathsArgument,
  options,
  rules: [
    {
      of: ['release', 'acquire'],
      check: ({ options: { acquire, release } }) =>
        acquire.length > 0 === release.length > 0 ? null : '--acquire and --release go together',
    },
    {
      of: ['handoff', 'acquire'],
      check: ({ options: { handoff, acquire } }) =>
        handoff.length > 0 && acquire.length === 0 ? '--handoff needs --acquire and --release' : null,
    },
    {
      of: ['armedBy', 'acquire'],
      check: ({ options: { armedBy, acquire } }) =>
        armedBy.length > 0 && acquire.length === 0 ? '--armed-by needs --acquire and --release' : null,
    },
    {
      of: ['updateBaseline', 'baseline'],
      check: ({ options: { updateBaseline, baseline } }) =>
        updateBaseline && baseline === null ? '--update-baseline needs --baseline FILE' : null,
    },
    {
      of: ['rules', 'overrides', 'resources'],
      check: ({ options: { rules, overrides, resources } }) => {
        const custom = resources.map((one) => customResource(one).id);
        const name = [...rules, ...overrides.map((one) => one.rules ?? {})]
          .map((levels) => unknownRule(levels, ['custom', ...custom]))
          .find((one) => one !== null);
        return name === undefined ? null : `there is no rule or resource '${name}'`;
      },
    },
    {
      of: ['dryRun', 'fix'],
      check: ({ options: { dryRun, fix } }) => (dryRun && !fix ? '--dry-run needs --fix' : null),
    },
    {
      of: ['watch', 'fix', 'updateBaseline', 'format'],
      check: ({ options: { watch, fix, updateBaseline, format } }) =>
        watch && (fix || updateBaseline || format !== 'text')
          ? `--watch does not go with ${fix ? '--fix' : updateBaseline ? '--update-baseline' : `--format ${format}`}`
          : null,
    },
    {
      of: ['fix', 'updateBaseline'],
      check: ({ options: { fix, updateBaseline } }) =>
        fix && updateBaseline ? '--fix and --update-baseline do not go together' : null,
    },
  ],
  examples: [
    { command: 'poolctl audit-leaks', meaning: 'the current folder' },
    {
      command: 'poolctl audit-leaks src --acquire openSession --release close',
      meaning: 'your own function that hands out leases',
    },
    {
      command: 'poolctl audit-leaks --baseline leaks.json --update-baseline',
      meaning: 'record existing findings as a baseline',
    },
    {
      command: 'poolctl audit-leaks --baseline leaks.json --format github',
      meaning: 'fail in CI on new findings only',
    },
    {
      command: 'poolctl audit-leaks --explain pg-pool',
      meaning: 'why a resource leaks, and how to repair it',
    },
    { command: 'poolctl audit-leaks --watch', meaning: 'a live report while you edit' },
    { command: 'poolctl audit-leaks --explain held-through-work', meaning: 'what a rule finds, and why' },
  ],
  async run(context) {
    const { options, render, version } = context;
    if (options.explain !== null) {
      await context.write(explain(options.explain));
      return ExitCode.Ok;
    }
    const paths = await pathsOf(context);
    const known = await baselineFrom(context);
    const changes = await changedSince(context);
    if (options.watch) {
      const { watchAudit } = await import('./audit-leaks-watch.js');
      return await watchAudit(context, paths, settingsOf(context), async (whole) => {
        const since = await changedSince(context);
        const result = reported(context, whole, await baselineFrom(context), since);
        const warn = () => warnOf(context, whole, result);
        const shown = named(context, whole.files, paths, result);
        const text = await renderReport('audit', 'text', shown, { ...render, version, pageOf });
        return { result: shown, text, warn };
      });
    }
    if (options.fix) {
      const { repairAll } = await import('./audit-leaks-fix.js');
      const whole = await runAudit(context, paths);
      // JSON and SARIF also list the leaks of test files, which are nobody's to repair unless they are asked for.
      const { findings } = reported(context, whole, known, changes);
      const asked = findings.filter(({ where }) => options.includeTests || where !== 'test');
      await repairAll(asked, whole.files, context, paths);
      if (options.dryRun) return verdictOf(findings, whole.result, options);
    }
    const whole = await runAudit(context, paths);
    const { files } = whole;
    if (options.updateBaseline && options.baseline !== null) {
      const from = renamed(whole.result, (name) => nameIn(context, files, name, 'root'));
      await saveBaseline(context, options.baseline, from);
      context.log(`wrote ${from.findings.length} findings to ${options.baseline}`);
    }
    const taken = options.updateBaseline ? baselineOf(whole.result.findings) : known;
    const result = reported(context, whole, taken, changes);
    warnOf(context, whole, result);
    if (result.summary.files === 0) throw new UsageError([nothingAudited(paths, result)]);
    const shown = named(context, files, paths, result);
    await context.write(await renderReport('audit', options.format, shown, { ...render, version, pageOf }));
    return verdictOf(result.findings, result, options);
  },
});

function warnOf(context: Context, { files }: DetailedAudit, { warnings }: AuditResult): void {
  for (const { file, line, reason } of warnings)
    context.warn(`${nameIn(context, files, file, 'cwd')}${line === null ? '' : `:${line}`}: ${reason}`);
}

function pageOf(kind: Finding['kind']) {
  return { text: explain(kind), markdown: markdownPage(kind) };
}

function nothingAudited(paths: readonly string[], { summary }: AuditResult) {
  const where = paths.map((path) => `'${path}'`).join(', ');
  return {
    message:
      (summary.skipped ?? 0) > 0
        ? `nothing was audited in ${where}: every file was skipped`
        : `nothing was audited: no source files in ${where}`,
    hint: 'audit-leaks reads .ts, .tsx, .js, .jsx, .mts, .cts, .mjs, .cjs, .vue, .svelte and .astro files; .gitignore and --exclude leave files out',
  };
}

/** Fails if more findings count than are allowed. A dry run judges the code as it is. */
function verdictOf(
  findings: readonly Finding[],
  { summary }: AuditResult,
  { severity, maxFindings, strict }: Context['options'],
): ExitCode {
  if (strict && (summary.skipped ?? 0) + (summary.undecided ?? 0) > 0) return ExitCode.Failed;
  // A leak in a test hangs the test run, not the application: --include-tests makes it count.
  const failing = findings.filter(
    (one) => severity === 'note' || (one.severity === 'error' && one.where !== 'test'),
  );
  return failing.length > maxFindings ? ExitCode.Failed : ExitCode.Ok;
}

/** The findings that are asked for: not in the baseline, affected by a change, and not left out by rules. */
function reported(
  context: Context,
  { result, readsOf, files }: DetailedAudit,
  known: Baseline | null,
  changes: Changes | null,
): AuditResult {
  const { rules, overrides, minConfidence, notes, severity, format } = context.options;
  const fresh = known === null ? result : withoutBaseline(result, known);
  const affected =
    changes === null ? fresh.findings : fresh.findings.filter((one) => affects(changes, readsOf(one)));
  const policy = { rules: Object.assign({}, ...rules), overrides, minConfidence };
  const levelled = applyPolicy(
    { ...fresh, findings: affected },
    policy,
    (name) => nameIn(context, files, name, 'cwd'),
    (name) => files.get(name)?.path.replaceAll('\\', '/') ?? name,
  );
  const judged = { ...levelled, findings: [...levelled.findings].sort(byWeight) };
  if (notes || severity === 'note' || format === 'json' || format === 'sarif') return judged;
  const errors = judged.findings.filter((one) => one.severity === 'error');
  const findings = errors.filter((one) => one.where !== 'test');
  const hiddenNotes = judged.findings.length - errors.length;
  const hiddenTests = errors.length - findings.length;
  return { ...judged, findings, summary: { ...judged.summary, hiddenNotes, hiddenTests } };
}

/**
 * Machines look files up in the repository, people in the current folder. JSON keeps the names from the audited path and
 * says which folder that is.
 */
function named(
  context: Context,
  files: DetailedAudit['files'],
  paths: readonly string[],
  result: AuditResult,
): AuditResult {
  const { io, options } = context;
  if (options.format === 'json') {
    const [only] = paths;
    const base = paths.length === 1 && only !== undefined ? baseOf(resolve(io.cwd, only), io.cwd) : io.cwd;
    return { ...result, base: nameFrom(rootOf(context), { path: base, real: realOf(base) }) };
  }
  const from = options.format === 'text' ? 'cwd' : 'root';
  return renamed(result, (name) => nameIn(context, files, name, from));
}

function baseOf(path: string, cwd: string): string {
  if (statSync(path).isDirectory()) return path;
  return isBelow(path, cwd) ? cwd : join(path, '..');
}

/** The repository around the current folder, or else around what is audited. */
function rootOf({ io, arguments: { paths } }: Context): string {
  const audited = paths.map((path) =>
    resolve(io.cwd, path, statSync(resolve(io.cwd, path)).isDirectory() ? '.' : '..'),
  );
  const around = [io.cwd, ...audited].map(repositoryAround).find((root) => root !== null);
  return around ?? io.cwd;
}

function nameIn(context: Context, files: DetailedAudit['files'], name: string, from: 'root' | 'cwd'): string {
  const file = files.get(name);
  if (file === undefined) return name;
  return nameFrom(from === 'cwd' ? context.io.cwd : rootOf(context), file);
}

async function pathsOf({ arguments: { paths }, io }: Context): Promise<readonly string[]> {
  const given = paths.length === 0 ? ['.'] : paths;
  for (const path of given) {
    const found = await stat(resolve(io.cwd, path)).catch((error: unknown) => {
      throw new UnavailableError(`cannot audit ${path}: ${fileFault(error)}`, { cause: error });
    });
    if (!found.isDirectory() && !isSourceName(path))
      throw new UsageError([
        { message: `cannot audit ${path}: not a file with TypeScript or JavaScript`, hint: null },
      ]);
  }
  return given;
}

function settingsOf({ options, io }: Context) {
  const { acquire, release, handoff, armedBy } = options;
  const flagged = acquire.length === 0 ? [] : [{ acquire, release, handoff, armedBy }];
  return {
    cwd: io.cwd,
    exclude: options.exclude,
    honourIgnoreFiles: options.ignoreFiles,
    includeTests: options.includeTests,
    resources: [...flagged, ...options.resources].map(customResource),
  } satisfies AuditOptions;
}

async function runAudit(context: Context, paths: readonly string[]): Promise<DetailedAudit> {
  const { options, io, progress } = context;
  const settings = settingsOf(context);
  // A repair needs the code as it is now, and after it the code is another one.
  const cache = options.fix || !options.cache ? null : cacheOf(context);
  if (cache !== null) {
    const found = findFiles(paths, io.cwd, settings);
    const roots = paths.map((path) => resolve(io.cwd, path));
    const key = cacheKey(found, roots, { ...settings, paths, version: context.version });
    const kept = cache.read(key);
    if (kept !== null) return { result: kept.result, ...lookUp(kept, found.files) };
    const fresh = await auditNow();
    cache.write(key, {
      result: fresh.result,
      reads: fresh.result.findings.map((one) => [...fresh.readsOf(one)]),
    });
    return fresh;
  }
  return await auditNow();

  async function auditNow(): Promise<DetailedAudit> {
    const onProgress = (done: number, total: number) =>
      progress.update({
        label: 'auditing',
        share: total === 0 ? null : done / total,
        note: `${done}/${total} acquire calls`,
      });
    const whole = await auditInThread(paths, { ...settings, onProgress }, io.interrupts.stop);
    progress.clear();
    return whole;
  }
}

function lookUp(
  { result, reads }: { readonly result: AuditResult; readonly reads: readonly (readonly string[])[] },
  files: readonly LocatedFile[],
): Pick<DetailedAudit, 'files' | 'readsOf'> {
  const byFinding = new Map(result.findings.map((one, at) => [one, new Set(reads[at])]));
  return {
    files: new Map(files.map((file) => [file.name, file])),
    readsOf: (finding) => byFinding.get(finding) ?? new Set(),
  };
}

/** The cache that was asked for, or the one of the nearest node_modules, or that of the user. */
function cacheOf(context: Context): AuditCache | null {
  const { io, options } = context;
  const home = io.env.HOME ?? io.env.USERPROFILE ?? null;
  const own = io.env.XDG_CACHE_HOME ?? io.env.LOCALAPPDATA ?? (home === null ? null : join(home, '.cache'));
  const secret = io.env.POOLCTL_CACHE_KEY ?? (own === null ? null : cacheSecret(join(own, 'poolctl')));
  if (secret === null) return null;
  if (options.cacheLocation !== null)
    return openCache({ folder: resolve(io.cwd, options.cacheLocation), within: null, secret });
  const modules = [io.cwd, rootOf(context)]
    .map((one) => join(one, 'node_modules'))
    .find((one) => existsSync(one));
  if (modules !== undefined)
    return openCache({ folder: join(modules, '.cache', 'poolctl'), within: modules, secret });
  return own === null ? null : openCache({ folder: join(own, 'poolctl', 'audit'), within: null, secret });
}

async function changedSince({ options, io }: Context): Promise<Changes | null> {
  const { since } = options;
  if (since === null) return null;
  return await changesSince(io.cwd, since).catch((error: unknown) => {
    const said =
      error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n')[0] : '';
    throw new UnavailableError(`cannot tell what changed since ${since}: ${said || 'git failed'}`, {
      cause: error,
    });
  });
}

async function baselineFrom({ options, io }: Context): Promise<Baseline | null> {
  const { baseline, updateBaseline } = options;
  if (baseline === null || updateBaseline) return null;
  const source = await readFile(resolve(io.cwd, baseline), 'utf8').catch((error: unknown) => {
    const hint = 'poolctl audit-leaks --baseline FILE --update-baseline makes one';
    throw new UnavailableError(`cannot read the baseline ${baseline}: ${fileFault(error)}`, {
      hint,
      cause: error,
    });
  });
  const found = parseBaseline(source);
  if (found === null)
    throw new UsageError([`--baseline: ${baseline} is not a baseline of poolctl audit-leaks`]);
  return found;
}

/** The configuration comes with the repository, which may be hostile: its baseline stays in its folder. */
async function saveBaseline(
  { io, origins }: Context,
  path: string,
  { findings }: AuditResult,
): Promise<void> {
  const text = `${JSON.stringify(baselineOf(findings), null, 2)}\n`;
  const { baseline: origin } = origins;
  const within = origin.kind === 'config' ? dirname(resolve(io.cwd, origin.file)) : null;
  await replaceFile(resolve(io.cwd, path), text, { what: 'the baseline', within });
}
