import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { audit } from '../../src/audit/audit.js';
import type { AuditOptions } from '../../src/audit/types.js';

/** What a folder of fixtures says of itself, and what the audit of it finds, in the same form. */
export function markedAndFound(
  folder: string,
  options: Partial<AuditOptions> = {},
): { readonly marked: string[]; readonly found: string[]; readonly warnings: readonly unknown[] } {
  const { findings, warnings } = audit([folder], { cwd: folder, includeTests: true, ...options });
  const leaks = findings.filter(({ rule }) => rule === 'leak');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.[cm]?[jt]s$/.test(name),
  );
  const marked = files.flatMap((name) => {
    return readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .flatMap((line, index) => {
        const [, severity, kind] = /\/\/ (leak|note): ([\w-]+)/.exec(line) ?? [];
        const what =
          kind !== undefined ? `${severity} ${kind}` : line.endsWith('// bypass') ? 'bypass' : null;
        return what === null ? [] : [`${name}:${index + 1} ${what}`];
      });
  });
  const bypasses = new Set(marked.filter((one) => one.endsWith(' bypass')));
  const found = leaks.flatMap(({ file, line, severity, kind, trail }) => [
    `${file}:${line} ${severity === 'error' ? 'leak' : 'note'} ${kind}`,
    ...trail
      .filter(({ role }) => role === 'bypass')
      .map((step) => `${step.file}:${step.line} bypass`)
      .filter((one) => bypasses.has(one)),
  ]);
  return { marked: marked.sort(), found: [...new Set(found)].sort(), warnings };
}
