import type { AuditResult } from '../../audit/types.js';
import { markdownTable, markdownText } from '../markdown.js';
import { printable } from '../text.js';
import { hiddenWords, summaryWords } from './words.js';

/** For pull request comments and job summaries. */
export function renderMarkdown(result: AuditResult): string {
  const head = `## Leases that can escape their release\n\n${[summaryWords(result), hiddenWords(result)]
    .filter((text) => text !== '')
    .map(markdownText)
    .join('\n\n')}\n`;
  if (result.findings.length === 0) return head;
  const rows = result.findings.map(({ rule, severity, file, line, message, resource, trail }) => {
    const bypass = trail.find(({ role }) => role === 'bypass' || role === 'misuse');
    return [
      severity === 'error' ? (rule === 'leak' ? 'leak' : 'misuse') : 'note',
      markdownText(`${printable(file)}:${line}`),
      markdownText(printable(message)),
      markdownText(resource),
      bypass === undefined
        ? ''
        : `\`${printable(bypass.source.trim()).replaceAll('`', "'").replaceAll('|', '\\|')}\``,
    ];
  });
  return `${head}\n${markdownTable(['', 'acquired at', 'what', 'resource', 'gets past release'], rows)}\n`;
}
