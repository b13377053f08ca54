import type { AuditResult, Finding } from './types.js';

/** Leaks that are known and left for later: how many there are of each fingerprint. */
export interface Baseline {
  readonly schema: 1;
  readonly leaks: readonly BaselineEntry[];
}

export interface BaselineEntry {
  readonly fingerprint: string;
  readonly count: number;
  /** For people who read the file: where it was found. Not compared, so that files can be renamed. */
  readonly file: string;
  readonly message: string;
}

export function baselineOf(findings: readonly Finding[]): Baseline {
  const entries = new Map<string, BaselineEntry>();
  for (const { fingerprint, file, message } of findings) {
    const count = (entries.get(fingerprint)?.count ?? 0) + 1;
    entries.set(fingerprint, { fingerprint, count, file, message: message.replace(/ \(line \d+\)$/, '') });
  }
  const leaks = [...entries.values()].sort((a, b) =>
    a.file + a.fingerprint < b.file + b.fingerprint ? -1 : 1,
  );
  return { schema: 1, leaks };
}

/** Leaves out what the baseline has; one more of the same is new. */
export function withoutBaseline(result: AuditResult, baseline: Baseline): AuditResult {
  const left = new Map(baseline.leaks.map(({ fingerprint, count }) => [fingerprint, count]));
  const findings = result.findings.filter(({ fingerprint }) => {
    const count = left.get(fingerprint) ?? 0;
    if (count > 0) left.set(fingerprint, count - 1);
    return count === 0;
  });
  const baselined = result.findings.length - findings.length;
  return { ...result, findings, summary: { ...result.summary, baselined } };
}

/** Reads a baseline file; null where the text is none. */
export function parseBaseline(text: string): Baseline | null {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return isBaseline(value) ? value : null;
  } catch {
    return null;
  }
}

function isBaseline(value: unknown): value is Baseline {
  if (typeof value !== 'object' || value === null) return false;
  const { schema, leaks } = value as Partial<Record<keyof Baseline, unknown>>;
  return schema === 1 && Array.isArray(leaks) && leaks.every(isEntry);
}

function isEntry(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { fingerprint, count } = value as Partial<Record<keyof BaselineEntry, unknown>>;
  return typeof fingerprint === 'string' && typeof count === 'number';
}
