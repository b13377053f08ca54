import { readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { audit } from '../src/audit/audit.js';
import { type Baseline, baselineOf, parseBaseline, withoutBaseline } from '../src/audit/baseline.js';
import { changedFiles } from '../src/audit/changed.js';
import { explain, topics } from '../src/audit/explain.js';
import { diff, repair } from '../src/audit/fix.js';
import { type CustomResource, customResource, readCustomResource } from '../src/audit/resources/custom.js';
import { targetOf } from '../src/audit/target.js';
import type { AuditResult, Finding } from '../src/audit/types.js';
import { fileFault } from '../src/base/file-fault.js';
import { ValueError } from '../src/base/units.js';
import { type CommandContext, defineCommand, restArguments } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list, value } from '../src/cli/options.js';
import { didYouMean } from '../src/cli/suggest.js';
import { choice, count, text, type ValueType } from '../src/cli/value-types.js';
import { formatsOf, renderReport } from '../src/report/registry.js';

const topicType: ValueType<string> = {
  placeholder: 'TOPIC',
  parse(source) {
    // As SARIF names it: `leak/not-released-on-throw`.
    const topic = source.replace(/^leak\//, '');
    if (topics().includes(topic)) return topic;
    const meant = didYouMean(source, topics());
    throw new ValueError(
      `'${source}' is not one of ${topics().join(', ')}${meant === null ? '' : `; ${meant}`}`,
    );
  },
  show: (topic) => topic,
};

const nameType: ValueType<string> = {
  placeholder: 'NAME',
  parse(source) {
    if (!/^[A-Za-z_$][\w$]*$/.test(source))
      throw new ValueError(`'${source}' is not the name of a function or method`);
    return source;
  },
  show: (name) => name,
};

const resourceType: ValueType<CustomResource> = {
  placeholder: 'JSON',
  parse(source) {
    const found = readCustomResource(parsed(source));
    if (typeof found === 'string') throw new ValueError(found);
    return found;
  },
  show: (resource) => JSON.stringify(resource),
};

function parsed(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    throw new ValueError(`'${source}' is not JSON`);
  }
}

const options = {
  exclude: list({
    summary: 'leave out what fits; a glob without a slash is a name anywhere',
    type: text('GLOB'),
    group: 'Scope',
  }),
  ignoreFiles: flag({
    summary: 'leave out what .gitignore names',
    default: true,
    negatable: true,
    group: 'Scope',
  }),
  since: value({
    summary: 'report files only that differ from this commit',
    type: text('GITREF'),
    default: null,
    group: 'Scope',
  }),
  includeTests: flag({ summary: 'judge test files like others; without, they give notes', group: 'Scope' }),
  acquire: list({
    summary: 'a function or method of yours that lends something',
    type: nameType,
    group: 'Resources',
  }),
  release: list({
    summary: 'what ends the lease: a method of it, or a function that takes it',
    type: nameType,
    group: 'Resources',
  }),
  handoff: list({
    summary: 'what takes it over for later: a method of it, or a function that takes it',
    type: nameType,
    group: 'Resources',
  }),
  resources: list({
    summary: 'more of them: {"acquire": [...], "release": [...], "handoff": [...], "from": [...]}',
    type: resourceType,
    takesObjects: true,
    group: 'Resources',
  }),
  severity: value({
    summary: 'the least that makes the run fail',
    type: choice(['error', 'note']),
    default: 'error',
    group: 'Verdict',
  }),
  maxFindings: value({ summary: 'let so many pass', type: count(), default: 0, group: 'Verdict' }),
  baseline: value({
    summary: 'leave out the leaks in FILE, which are known',
    type: text('FILE'),
    default: null,
    group: 'Verdict',
  }),
  updateBaseline: flag({
    summary: 'write what is found now to the file of --baseline',
    config: false,
    group: 'Verdict',
  }),
  fix: flag({
    summary: 'repair what can be repaired safely (to try/finally or await using), and report the rest',
    config: false,
    group: 'Repair',
  }),
  dryRun: flag({
    summary: 'with --fix: print what would change as a diff, and fail as the audit does',
    config: false,
    group: 'Repair',
  }),
  notes: flag({
    summary: 'show notes too: leaks that only a failing connect, BEGIN or ROLLBACK can cause',
    group: 'Output',
  }),
  explain: value({
    summary: 'print why a resource leaks or what a rule finds, with an example and its repair',
    type: topicType,
    default: null,
    config: false,
    group: 'Output',
  }),
  format: formatOption(formatsOf('audit')),
};

const pathsArgument = {
  paths: restArguments({ summary: 'files and folders; left out: the current folder', type: text('PATH') }),
};

type Context = CommandContext<typeof options, typeof pathsArgument>;

export const command = defineCommand({
  name: 'audit-leaks',
  summary: 'find leases that can escape their release, in source code',
  description:
    'Follows every lease of a connection pool (pg, mysql2, TypeORM, Knex, Sequelize, MongoDB, SQLite ... and your own\n' +
    'getDb()) along every path of TypeScript and JavaScript code, and finds the ones that can get past the release.',
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
      of: ['updateBaseline', 'baseline'],
      check: ({ options: { updateBaseline, baseline } }) =>
        updateBaseline && baseline === null ? '--update-baseline needs --baseline FILE' : null,
    },
    {
      of: ['dryRun', 'fix'],
      check: ({ options: { dryRun, fix } }) => (dryRun && !fix ? '--dry-run needs --fix' : null),
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
      meaning: 'with a factory of your own',
    },
    {
      command: 'poolctl audit-leaks --baseline leaks.json --update-baseline',
      meaning: 'take what is there as known',
    },
    {
      command: 'poolctl audit-leaks --baseline leaks.json --format github',
      meaning: 'a gate for new leaks in CI',
    },
    { command: 'poolctl audit-leaks --explain pg-pool', meaning: 'why it leaks, and how to repair it' },
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
    const changed = await changedSince(context);
    if (options.fix) {
      const findings = (await reported(context, runAudit(context, paths), known, changed, paths)).findings;
      const repairs = await repairsOf(findings, context, paths);
      if (options.dryRun) {
        await context.write(repairs.map(({ name, before, after }) => diff(name, before, after)).join(''));
        return verdictOf(findings, options);
      }
      for (const { path, after } of repairs) await saveRepair(path, after);
      context.log(
        `repaired ${repairs.reduce((sum, { count }) => sum + count, 0)} of ${findings.length} findings`,
      );
    }
    const whole = runAudit(context, paths);
    if (options.updateBaseline && options.baseline !== null) {
      await saveBaseline(resolve(context.io.cwd, options.baseline), whole);
      context.log(`wrote ${whole.findings.length} findings to ${options.baseline}`);
    }
    const taken = options.updateBaseline ? baselineOf(whole.findings) : known;
    const result = await reported(context, whole, taken, changed, paths);
    for (const { file, line, reason } of result.warnings) {
      context.warn(`${file}${line === null ? '' : `:${line}`}: ${reason}`);
    }
    await context.write(await renderReport('audit', options.format, result, { ...render, version }));
    return verdictOf(result.findings, options);
  },
});

/** Fails where more findings count than are let pass. A dry run judges the code as it is. */
function verdictOf(findings: readonly Finding[], { severity, maxFindings }: Context['options']): ExitCode {
  const failing = findings.filter((one) => one.severity === 'error' || severity === 'note');
  return failing.length > maxFindings ? ExitCode.Failed : ExitCode.Ok;
}

/** What there is to tell: without what is in the baseline, in files that did not change, or not asked for. */
async function reported(
  context: Context,
  whole: AuditResult,
  known: Baseline | null,
  changed: ReadonlySet<string> | null,
  paths: readonly string[],
): Promise<AuditResult> {
  return await narrowed(known === null ? whole : withoutBaseline(whole, known), changed, context, paths);
}

interface FileRepair {
  readonly name: string;
  readonly path: string;
  readonly before: string;
  readonly after: string;
  readonly count: number;
}

async function repairsOf(
  findings: readonly Finding[],
  { io }: Context,
  paths: readonly string[],
): Promise<FileRepair[]> {
  const repairs: FileRepair[] = [];
  for (const name of new Set(findings.map(({ file }) => file))) {
    const own = findings.filter(({ file }) => file === name);
    const found = await sourceOf(name, own, [io.cwd, ...paths.map((path) => resolve(io.cwd, path))]);
    if (found === null) continue;
    const { text: after, repaired } = repair(name, found.text, own, targetOf(found.path));
    if (repaired.length > 0)
      repairs.push({
        name: relative(io.cwd, found.path).split(sep).join('/'),
        path: found.path,
        before: found.text,
        after,
        count: repaired.length,
      });
  }
  return repairs;
}

/** The file that findings are of: they are named from the audited path, and say what stands there. */
async function sourceOf(
  name: string,
  findings: readonly Finding[],
  roots: readonly string[],
): Promise<{ readonly path: string; readonly text: string } | null> {
  for (const path of new Set(roots.flatMap((root) => [resolve(root, name), root]))) {
    const bytes = await readFile(path).catch(() => null);
    if (bytes === null) continue;
    const text = bytes.toString('utf8');
    // What is not UTF-8 would not be the same when it is written back.
    if (!Buffer.from(text, 'utf8').equals(bytes)) continue;
    const lines = text.split('\n');
    if (
      findings.every(({ trail: [step] }) => step && lines[step.line - 1]?.replace(/\r$/, '') === step.source)
    )
      return { path, text };
  }
  return null;
}

async function saveRepair(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((error: unknown) => {
    throw new UnavailableError(`cannot write ${path}: ${fileFault(error)}`, { cause: error });
  });
}

async function pathsOf({ arguments: { paths }, io }: Context): Promise<readonly string[]> {
  const given = paths.length === 0 ? ['.'] : paths;
  for (const path of given) {
    await stat(resolve(io.cwd, path)).catch((error: unknown) => {
      throw new UnavailableError(`cannot audit ${path}: ${fileFault(error)}`, { cause: error });
    });
  }
  return given;
}

function runAudit({ options, io, progress }: Context, paths: readonly string[]): AuditResult {
  const { acquire, release, handoff } = options;
  const flagged = acquire.length === 0 ? [] : [{ acquire, release, handoff }];
  const result = audit(paths, {
    cwd: io.cwd,
    exclude: options.exclude,
    honourIgnoreFiles: options.ignoreFiles,
    includeTests: options.includeTests,
    resources: [...flagged, ...options.resources].map(customResource),
    onProgress: (done, total) =>
      progress.update({
        label: 'auditing',
        share: total === 0 ? null : done / total,
        note: `${done}/${total} acquire calls`,
      }),
  });
  progress.clear();
  return result;
}

/** Without the notes that nobody asked for, and without files that have not changed. */
async function narrowed(
  result: AuditResult,
  changed: ReadonlySet<string> | null,
  { options, io }: Context,
  paths: readonly string[],
): Promise<AuditResult> {
  const wantsNotes =
    options.notes || options.severity === 'note' || options.format === 'json' || options.format === 'sarif';
  let findings = wantsNotes
    ? result.findings
    : result.findings.filter(({ severity }) => severity === 'error');
  if (changed !== null) {
    const roots = await Promise.all(paths.map((path) => realpath(resolve(io.cwd, path))));
    const cwd = await realpath(io.cwd);
    findings = findings.filter(({ file }) =>
      [cwd, ...roots].some((root) => changed.has(resolve(root, file))),
    );
  }
  return { ...result, findings };
}

async function changedSince({ options, io }: Context): Promise<ReadonlySet<string> | null> {
  const { since } = options;
  if (since === null) return null;
  return await changedFiles(io.cwd, since).catch((error: unknown) => {
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

async function saveBaseline(path: string, { findings }: AuditResult): Promise<void> {
  const baseline = baselineOf(findings);
  await writeFile(path, `${JSON.stringify(baseline, null, 2)}\n`).catch((error: unknown) => {
    throw new UnavailableError(`cannot write the baseline ${path}: ${fileFault(error)}`, { cause: error });
  });
}
