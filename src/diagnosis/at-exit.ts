import type { Finding } from './types.js';

/** Causes that may be gone a moment later. At exit there is no second look. */
const MOMENTARY: ReadonlySet<string> = new Set([
  ...['unclear', 'pool-too-small', 'fan-out-promise-all', 'acquire-limit-none', 'slow-query'],
  ...['connection-held-through-other-work', 'remote-call-in-transaction', 'jobs-starve-requests'],
]);

/** The findings of the last readings of processes that exited which were more than the moment of their exit. */
export function findingsAtExit(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ cause, confidence }) => confidence !== 'possible' && !MOMENTARY.has(cause));
}
