import { printable } from '../report/text.js';
import type { IbConnectionReading } from '../snapshot/broker.js';
import type { PoolReading } from '../snapshot/reading.js';
import { counted, shortTime } from './words.js';

export interface BrokerTrouble {
  readonly severity: 'warn' | 'bad';
  readonly cause: 'broker link' | 'broker pacing' | 'pool too small';
  readonly words: string;
}

/** Requests that wait for the pacing for no longer are nothing to worry about: a burst of them does that. */
const SHORT_MS = 1000;

/**
 * The fault of a pool of broker connections that other pools cannot have; null for other pools, and if all is well.
 * Leases that are never given back (`leaks`) explain a lack of connections better.
 */
export function brokerTrouble(
  pool: PoolReading,
  { leaks }: { readonly leaks: boolean },
): BrokerTrouble | null {
  const { ib, createError, waiting, size, inUse } = pool;
  if (ib === undefined) return null;
  const { pacing, connections } = ib;
  const place = `${printable(ib.host)}:${ib.port}`;
  const link = (words: string): BrokerTrouble => ({ severity: 'bad', cause: 'broker link', words });
  if (connections.length === 0 && createError !== null)
    return link(`no connection; ${printable(createError).slice(0, 120)}`);
  const down = connections.filter(isDown);
  if (down.length > 0)
    return link(
      `${down.length} of ${counted(connections.length, 'connection')} to ${place} down, connecting anew`,
    );
  if (connections.some(({ upstream }) => upstream === 'down'))
    return link(`the gateway at ${place} has lost its own connection to IB; requests stay unanswered`);
  if (pacing !== null && pacing.waiting > 0 && (pacing.longestWaitMs ?? 0) > SHORT_MS) {
    const queued = `${counted(pacing.waiting, 'message')} queued for up to ${shortTime(pacing.longestWaitMs)}`;
    const words = `its pacing is used up (${pacing.messagesPerSecond}/s, or IB's rules for history); ${queued}; more connections gain nothing`;
    return { severity: 'warn', cause: 'broker pacing', words };
  }
  if (!leaks && (waiting ?? 0) > 0 && size !== null && inUse !== null && inUse >= size) {
    const pacedToo = pacing !== null && pacing.waiting > 0;
    return {
      severity: 'bad',
      cause: pacedToo ? 'broker pacing' : 'pool too small',
      words: pacedToo
        ? `all ${counted(size, 'worker')} in use, and wait for the pacing of ${pacing.messagesPerSecond}/s; more gain nothing`
        : `all ${counted(size, 'worker')} in use; a gateway serves 32 clients`,
    };
  }
  return null;
}

/** One that is dialled for the first time is not down as yet. */
function isDown({ state, lost, ready }: IbConnectionReading): boolean {
  return state !== 'ready' && ((lost ?? 0) > 0 || (ready ?? 0) > 0 || state === 'waiting');
}
