import type { RunView } from './protocol.js';

/** Fewer failures than this show nothing about a load. */
const LEAST_ENDED = 100;

/**
 * The share of failures over all agents if it is above `most`; null if it is not. It is judged on the reports of all agents
 * that are there, never on the first one that speaks.
 */
export function tooManyErrors({ segments, startAtMs }: RunView, most: number): number | null {
  const there = segments.filter(({ isLost }) => !isLost);
  const running = there.flatMap(({ report }) => (report?.state === 'running' ? (report.progress ?? []) : []));
  if (startAtMs === null || running.length < there.filter(({ hasResult }) => !hasResult).length) return null;
  const loading = running.filter(({ phase }) => phase !== 'warm-up');
  const ended = loading.reduce((sum, one) => sum + one.ended, 0);
  const failed = loading.reduce((sum, one) => sum + one.failed, 0);
  return ended >= LEAST_ENDED && failed / ended > most ? failed / ended : null;
}
