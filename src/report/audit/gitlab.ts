import type { AuditResult } from '../../audit/types.js';

/** The report that GitLab's Code Quality reads: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format. */
export function renderGitlab({ findings }: AuditResult): string {
  const seen = new Map<string, number>();
  const issues = findings.map(
    ({ rule, kind, severity, file, line, endLine, message, fingerprint, resource }) => {
      const count = seen.get(fingerprint) ?? 0;
      seen.set(fingerprint, count + 1);
      return {
        description: `${message} (${resource})`,
        check_name: rule === 'leak' ? `leak/${kind}` : rule,
        // GitLab takes two issues of one fingerprint for one.
        fingerprint: `${fingerprint}-${count}`,
        severity: severity === 'error' ? 'major' : 'info',
        location: { path: file, lines: { begin: line, end: endLine } },
      };
    },
  );
  return `${JSON.stringify(issues, null, 2)}\n`;
}
