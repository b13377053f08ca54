import type { Finding } from '../../diagnosis/types.js';
import { printable } from '../text.js';

/** More causes at once are counted. */
const MOST = 3;
/** Steps of a cause; `poolctl explain` has all. */
const MOST_STEPS = 2;

/** The causes that were there when the processes of a command exited, as lines for stderr; empty if there are none. */
export function exitReport(findings: readonly Finding[]): string {
  if (findings.length === 0) return '';
  const shown = findings.slice(0, MOST);
  const more = findings.length - shown.length;
  return [
    ...shown.flatMap(({ cause, words, steps }) => [
      `poolctl: ${cause}: ${printable(words)}`,
      ...steps.slice(0, MOST_STEPS).map(({ text }) => `  ${printable(text)}`),
      `  details: poolctl explain ${cause}`,
    ]),
    ...(more === 0 ? [] : [`poolctl: ${more} more ${more === 1 ? 'cause' : 'causes'}`]),
    '',
  ].join('\n');
}
