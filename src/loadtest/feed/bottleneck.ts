import { formatShare } from '../../base/units.js';
import type { Bottleneck, ClientFigures } from '../result.js';

/** From here on an event loop is full: ticks wait in it. */
const LOOP_FULL = 0.9;

/** Whether poolctl itself held the ticks up; null if that was not measured. */
export function feedBottleneck({ loopBusy, loopRan, loopQueued }: ClientFigures): Bottleneck | null {
  if (loopBusy === null) return null;
  const busy = `its event loop was busy ${formatShare(loopBusy, 0)} of the time`;
  if (loopQueued !== null && loopRan !== null && loopQueued >= Math.max(0.25, loopRan)) {
    return {
      limit: 'processor',
      sentence: `The processor was the limit: poolctl's event loop stood in line for a core ${formatShare(loopQueued, 0)} of the time.`,
    };
  }
  return loopBusy >= LOOP_FULL
    ? {
        limit: 'client',
        sentence: `poolctl itself was the bottleneck: ${busy}. The feed can send more than this, and latencies contain waiting inside poolctl.`,
      }
    : { limit: 'target', sentence: `poolctl itself was not the bottleneck: ${busy}.` };
}
