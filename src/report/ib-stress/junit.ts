import type { IbRun, IbStressResult } from '../../lab/ib-stress/types.js';
import { escapeXml } from '../svg.js';
import { printable } from '../text.js';
import { faultsOf, headline, isAsWanted, runLabel, verdictText } from './words.js';

/** For CI servers that show test results: each run is a test case. */
export function renderJunit(result: IbStressResult): string {
  const { runs, negativeControls, elapsedMs, startedAt, partial } = result;
  const cases = [
    ...runs.map((run) => testCase(run, negativeControls)),
    ...(partial
      ? [
          '<testcase classname="poolctl.ib.stress" name="ran to its end" time="0"><failure message="the run was interrupted"/></testcase>',
        ]
      : []),
  ];
  const failures = cases.filter((text) => text.includes('<failure')).length;
  const skips = cases.filter((text) => text.includes('<skipped')).length;
  const counts = `tests="${cases.length}" failures="${failures}" errors="0" skipped="${skips}" time="${seconds(elapsedMs)}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="poolctl ib stress" ${counts}>
<testsuite name="ib stress" timestamp="${escapeXml(startedAt)}" ${counts}>
${cases.join('\n')}
<system-out>${escapeXml(`${headline(result)}: ${verdictText(result)}`)}</system-out>
</testsuite>
</testsuites>
`;
}

function testCase(run: IbRun, negativeControls: boolean): string {
  const attributes = `classname="poolctl.ib.stress.${run.kind}" name="${escapeXml(runLabel(run))}" time="${seconds(run.tookMs)}"`;
  if (run.outcome === 'skipped') {
    return `<testcase ${attributes}><skipped message="${escapeXml(run.why ?? '')}"/></testcase>`;
  }
  if (isAsWanted(run, negativeControls)) return `<testcase ${attributes}/>`;
  const faults = negativeControls
    ? [`a pool that ${run.broken ?? ''} was not found out`]
    : faultsOf(run).map(printable);
  return `<testcase ${attributes}><failure message="${escapeXml(faults[0] ?? '')}">${escapeXml(faults.join('\n'))}</failure></testcase>`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
