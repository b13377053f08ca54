import type { AuditResult } from './types.js';

/** The same result with other names for its files. */
export function renamed(result: AuditResult, nameOf: (file: string) => string): AuditResult {
  return {
    ...result,
    findings: result.findings.map((finding) => ({
      ...finding,
      file: nameOf(finding.file),
      trail: finding.trail.map((step) => ({ ...step, file: nameOf(step.file) })),
    })),
    warnings: result.warnings.map((warning) => ({ ...warning, file: nameOf(warning.file) })),
  };
}
