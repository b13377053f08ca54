import { globToRegExp } from './code/ignore.js';
import { PYTHON_RESOURCES } from './languages/python/resources.js';
import { RESOURCES } from './resources/index.js';
import { RULES } from './rules.js';
import type { AuditResult, Confidence, Finding, Severity } from './types.js';

/** How findings of a rule are reported. */
export type Level = Severity | 'off';

/** Levels by rule, kind of leak or resource: `leak`, `not-released-on-throw`, `leak/overwritten`, `sqlite-statement`. */
export type RuleLevels = Readonly<Record<string, Level>>;

/** Settings for a part of the tree; of several that fit a file, a later one counts more. */
export interface Override {
  readonly files: readonly string[];
  readonly rules?: RuleLevels;
  readonly minConfidence?: Confidence;
}

export interface Policy {
  readonly rules: RuleLevels;
  readonly overrides: readonly Override[];
  /** The lowest confidence that is reported. */
  readonly minConfidence: Confidence;
}

/** Reports each finding at the level of its rule, and leaves out what is switched off or too uncertain. */
export function applyPolicy(
  result: AuditResult,
  { rules, overrides, minConfidence }: Policy,
  nameOf: (file: string) => string = (file) => file,
  pathOf: (file: string) => string = nameOf,
): AuditResult {
  const scopes = overrides.map((override) => ({ ...override, isFor: matcherOf(override.files) }));
  const findings = result.findings.flatMap((finding) => {
    const own = scopes.filter(({ isFor }) => isFor(nameOf(finding.file)) || isFor(pathOf(finding.file)));
    const least = own.findLast((one) => one.minConfidence !== undefined)?.minConfidence ?? minConfidence;
    if (rank(finding.confidence) < rank(least)) return [];
    const levels = [rules, ...own.map((one) => one.rules ?? {})];
    const level = levels.map((one) => levelOf(finding, one)).findLast((one) => one !== null) ?? null;
    if (level === 'off') return [];
    // --include-tests decides what counts in a test file.
    const isRaised = finding.where === 'test' && level === 'error';
    if (level === null || level === finding.severity || isRaised) return [finding];
    return [{ ...finding, severity: level }];
  });
  return {
    ...result,
    findings,
    summary: { ...result.summary, leftOut: result.findings.length - findings.length },
  };
}

/** The names that rules can be switched by. */
function ruleNames(): readonly string[] {
  return ['leak', ...Object.keys(RULES), ...[...RESOURCES, ...PYTHON_RESOURCES].map(({ id }) => id)];
}

/** The first name that no rule or resource has; null where all are known. */
export function unknownRule(levels: RuleLevels, custom: readonly string[]): string | null {
  const known = new Set([...ruleNames(), ...custom]);
  return Object.keys(levels).find((name) => !known.has(name.replace(/^leak\//, ''))) ?? null;
}

export function isLevel(value: unknown): value is Level {
  return value === 'off' || value === 'note' || value === 'error';
}

function rank(confidence: Confidence): number {
  return CONFIDENCES.indexOf(confidence);
}

const CONFIDENCES: readonly Confidence[] = ['low', 'medium', 'high'];

/** The most exact name decides: of a kind before that of its rule, and a resource between them. */
function levelOf({ rule, kind, resource }: Finding, levels: RuleLevels): Level | null {
  return levels[`${rule}/${kind}`] ?? levels[kind] ?? levels[resource] ?? levels[rule] ?? null;
}

function matcherOf(globs: readonly string[]): (name: string) => boolean {
  const patterns = globs.map((glob) => {
    const bare = glob.replace(/^\.\//, '').replace(/\/$/, '/**');
    return globToRegExp(bare, bare.includes('/'));
  });
  // A folder that is named means all that is in it.
  return (name) =>
    patterns.some((pattern) => {
      const parts = name.split('/');
      return parts.some((_, at) => pattern.test(parts.slice(0, at + 1).join('/')));
    });
}
