import type { SourceUnit } from './code/project.js';
import type { AuditWarning, Finding } from './types.js';

const WORD = 'poolctl-ignore-next-line';
const COMMENT = new RegExp(
  `(?://|/\\*|\\{/\\*)\\s*${WORD}(?:[ \\t]+([\\w-]+))?(?:[ \\t]+--[ \\t]*(.*?))?[ \\t]*(?:\\*/\\}?)?[ \\t]*$`,
);

const HASH_COMMENT = new RegExp(`#\\s*${WORD}(?:[ \\t]+([\\w-]+))?(?:[ \\t]+--[ \\t]*(.*?))?[ \\t]*$`);

export interface Suppressed {
  readonly findings: readonly Finding[];
  readonly suppressed: number;
  /** Comments without a reason, of an unknown rule, or that suppress nothing. */
  readonly problems: readonly AuditWarning[];
}

/** Takes away what a comment on the line before says to ignore: `poolctl-ignore-next-line leak -- why`. */
export function suppress(findings: readonly Finding[], files: readonly SourceUnit[]): Suppressed {
  const problems: AuditWarning[] = [];
  const ignored = new Set<Finding>();
  for (const unit of files) {
    const { name } = unit;
    if (!unit.source.includes(WORD)) continue;
    const [text, pattern] = unit.language === 'python' ? [unit.source, HASH_COMMENT] : [unit.text, COMMENT];
    text.split('\n').forEach((source, index) => {
      const written = source.replace(/\r$/, '');
      const [comment, rule, reason = ''] = pattern.exec(unit.lineAsWritten?.(written) ?? written) ?? [];
      if (comment === undefined) return;
      const line = index + 1;
      if (reason.trim() === '') {
        problems.push({ file: name, line, reason: `${WORD} needs a reason: ${WORD} leak -- why it is none` });
        return;
      }
      const meant = findings.filter(
        (one) => one.file === name && one.line === line + 1 && (rule === undefined || one.rule === rule),
      );
      if (meant.length === 0) problems.push({ file: name, line, reason: `${WORD} suppresses nothing` });
      for (const one of meant) ignored.add(one);
    });
  }
  return { findings: findings.filter((one) => !ignored.has(one)), suppressed: ignored.size, problems };
}
