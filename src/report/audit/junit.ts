import type { AuditResult, Finding } from '../../audit/types.js';
import { escapeXml } from '../svg.js';
import { printable } from '../text.js';
import { summaryWords } from './words.js';

/** For CI servers that show test results: each leak is a failed test, each note a passed one that says something. */
export function renderJunit(result: AuditResult): string {
  const { findings } = result;
  const failures = findings.filter(({ severity }) => severity === 'error').length;
  const cases =
    findings.length === 0
      ? ['<testcase classname="poolctl.audit-leaks" name="no leaks"/>']
      : findings.map(testCase);
  const counts = `tests="${cases.length}" failures="${failures}" errors="0" skipped="0"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="poolctl audit-leaks" ${counts}>
<testsuite name="audit-leaks" ${counts}>
${cases.join('\n')}
<system-out>${escapeXml(summaryWords(result))}</system-out>
</testsuite>
</testsuites>
`;
}

function testCase(finding: Finding): string {
  const { severity, file, line, resource, message, trail } = finding;
  const attributes = `classname="poolctl.audit-leaks.${escapeXml(resource)}" name="${escapeXml(`${printable(file)}:${line}`)}"`;
  const steps = trail
    .map((step) => `${step.file}:${step.line} ${step.message}: ${printable(step.source.trim())}`)
    .join('\n');
  if (severity !== 'error')
    return `<testcase ${attributes}><system-out>${escapeXml(`${message}\n${steps}`)}</system-out></testcase>`;
  return `<testcase ${attributes}><failure message="${escapeXml(printable(message))}">${escapeXml(steps)}</failure></testcase>`;
}
