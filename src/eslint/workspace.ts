import { readFileSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import { type Baseline, parseBaseline, withoutBaseline } from '../audit/baseline.js';
import { LiveAudit } from '../audit/live.js';
import { applyPolicy } from '../audit/policy.js';
import { customResource } from '../audit/resources/custom.js';
import type { AuditResult, Finding } from '../audit/types.js';
import type { AuditSettings } from '../settings/audit.js';
import { readAuditSettingsSync, stampOf } from '../settings/audit-sync.js';
import type { PluginOptions } from './options.js';
import type { Place } from './place.js';

/** The findings in a file, as the command line reports them. */
export interface Answer {
  readonly findings: readonly Finding[];
  /** Sentences on mistakes in the config file. */
  readonly problems: readonly string[];
}

/** The share of the time that may go into looking at the disk, where nothing says that a file changed. */
const SHARE = 0.1;

/**
 * The project around the files that are linted, kept for as long as the process lives. Every answer counts for the text
 * that the linter has, and for all other files as the disk has them.
 */
export class Workspace {
  readonly #root: string | null;
  readonly #cwd: string;
  readonly #options: PluginOptions;
  #stamp: string | null = null;
  #settings: AuditSettings | null = null;
  #problems: readonly string[] = [];
  #baseline: Baseline | null = null;
  #live: LiveAudit | null = null;
  #nextLookMs = 0;
  /** The files that were linted before. */
  readonly #asked = new Set<string>();
  #last: {
    readonly path: string;
    readonly text: string;
    readonly rules: Set<string>;
    readonly answer: Answer;
  } | null = null;

  /** `root` is the folder that is audited, null for the linted file alone. */
  constructor(root: string | null, cwd: string, options: PluginOptions) {
    this.#root = root;
    this.#cwd = cwd;
    this.#options = options;
  }

  /** Judges a file with this text. `rule` is the rule that asks: one that asks again is in a new run. */
  answer({ path, physical }: Place, text: string, rule: string): Answer {
    const last = this.#last;
    if (last !== null && last.path === path && last.text === text && !last.rules.has(rule)) {
      last.rules.add(rule);
      // One rule says what is wrong in the config file.
      return { ...last.answer, problems: [] };
    }
    const live = this.#current(path);
    const isLeftOut = path !== physical && live.isLeftOut(physical);
    const answer = {
      findings: isLeftOut ? [] : this.#reported(live, live.findingsIn(path, text)),
      problems: this.#problems,
    };
    this.#last = { path, text, rules: new Set([rule]), answer };
    return answer;
  }

  get notes(): boolean {
    const { notes } = this.#options;
    return notes ?? (this.#settings?.notes === true || this.#settings?.severity === 'note');
  }

  /** The audit as the disk and the config file are now. */
  #current(path: string): LiveAudit {
    const begun = performance.now();
    // A file that is linted again is being edited, and so may the others be. A run over all files asks for each once.
    const isDue = this.#asked.has(path) || begun >= this.#nextLookMs;
    this.#asked.add(path);
    if (this.#live !== null && !isDue) return this.#live;
    const stamp = stampOf(this.#place);
    if (this.#live !== null && stamp === this.#stamp) {
      this.#live.refresh();
      this.#nextLookMs = performance.now() + (performance.now() - begun) / SHARE;
      return this.#live;
    }
    this.#live = this.#open(stamp);
    return this.#live;
  }

  #open(stamp: string): LiveAudit {
    const { settings, problems } = readAuditSettingsSync(this.#place);
    this.#stamp = stamp;
    this.#settings = settings;
    this.#problems = problems;
    this.#baseline = this.#readBaseline(settings.baseline);
    const { acquire, release, handoff, armedBy, resources } = settings;
    const flagged = acquire.length === 0 ? [] : [{ acquire, release, handoff, armedBy }];
    const own = [...flagged, ...resources, ...(this.#options.resources ?? [])];
    return new LiveAudit(this.#root === null ? [] : ['.'], {
      cwd: this.#root ?? this.#cwd,
      exclude: settings.exclude,
      honourIgnoreFiles: settings.ignoreFiles,
      includeTests: this.#options.includeTests ?? settings.includeTests,
      resources: own.map(customResource),
      language: 'typescript',
    });
  }

  get #place() {
    return { cwd: this.#root ?? this.#cwd, config: this.#configPath() };
  }

  #configPath(): string | null {
    const { config } = this.#options;
    return config === undefined ? null : resolve(this.#cwd, config);
  }

  #readBaseline(path: string | null): Baseline | null {
    if (path === null) return null;
    try {
      return parseBaseline(readFileSync(resolve(this.#root ?? this.#cwd, path), 'utf8'));
    } catch {
      return null; // the command line says that it is not there
    }
  }

  /** Leaves out what the baseline has, what rules switch off, and what is too uncertain. */
  #reported(live: LiveAudit, findings: readonly Finding[]): readonly Finding[] {
    const settings = this.#settings;
    if (settings === null || findings.length === 0) return findings;
    const known = this.#baseline;
    // The entries of a baseline count over all files.
    const fresh =
      known === null
        ? findings
        : withoutBaseline(resultOf(live.knownFindings()), known).findings.filter((one) =>
            findings.includes(one),
          );
    const { rules, overrides, minConfidence } = settings;
    const policy = {
      rules: Object.assign({}, ...rules),
      overrides,
      minConfidence: this.#options.minConfidence ?? minConfidence,
    };
    const root = this.#root ?? this.#cwd;
    const pathOf = (name: string) => resolve(root, name).replaceAll(sep, '/');
    const nameOf = (name: string) => relative(root, resolve(root, name)).replaceAll(sep, '/');
    return applyPolicy(resultOf(fresh), policy, nameOf, pathOf).findings;
  }
}

function resultOf(findings: readonly Finding[]): AuditResult {
  const summary = { files: 0, parsed: 0, acquireCalls: 0, suppressed: 0, undecided: 0, baselined: 0 };
  return { schema: 1, findings, warnings: [], summary };
}

const workspaces = new Map<string, Workspace>();

/** The workspace of a folder and options, made when it is first asked for. */
export function workspaceOf(root: string | null, cwd: string, options: PluginOptions): Workspace {
  // Notes are left out at the end, so that rules that differ in this share an audit.
  const key = JSON.stringify([root, cwd, { ...options, notes: undefined }]);
  const known = workspaces.get(key) ?? new Workspace(root, cwd, options);
  workspaces.set(key, known);
  return known;
}
