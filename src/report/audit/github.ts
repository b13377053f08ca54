import type { AuditResult } from '../../audit/types.js';
import { printable } from '../text.js';
import { summaryWords } from './words.js';

/** Workflow commands of GitHub Actions, which shows them at the lines of a pull request. */
export function renderGithub(result: AuditResult): string {
  const lines = result.findings.map(({ severity, file, line, endLine, column, resource, message, trail }) => {
    const bypass = trail.find(({ role }) => role === 'bypass' || role === 'misuse');
    const where = bypass === undefined ? '' : `: ${bypass.source.trim()}`;
    const level = severity === 'error' ? 'error' : 'notice';
    const place = `file=${property(file)},line=${line},endLine=${endLine},col=${column}`;
    return `::${level} ${place},title=${property(`poolctl: ${resource}`)}::${data(printable(message + where))}`;
  });
  return `${[...lines, summaryWords(result)].join('\n')}\n`;
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
