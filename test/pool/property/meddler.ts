import type { Player } from './player.js';
import type { Meddler } from './script.js';

/** How often at most listeners use the pool in one script; without a bound they would keep each other going. */
const MOST = 40;

/** Listeners that use the pool from within its events, half way through what it is doing. */
export function meddle(player: Player, meddler: Meddler): void {
  const deed = deedOf(player, meddler);
  if (deed === null) return;
  let times = 0;
  const listener = (): void => {
    if (times++ < MOST) deed();
  };
  for (const event of ['release', 'destroy', 'createFailed', 'acquireTimeout', 'create'] as const) {
    player.pool.on(event, listener);
  }
  // To acquire at each wait would be to wait at each wait.
  if (meddler !== 'acquires') player.pool.on('wait', listener);
}

function deedOf(player: Player, meddler: Meddler): (() => void) | null {
  switch (meddler) {
    case 'nobody':
      return null;
    case 'acquires':
      return () => player.acquire(100, null);
    case 'releases':
      return () => player.release(player.held[0]);
    case 'aborts':
      return () => player.abortable[0]?.controller?.abort(new Error('aborted by a listener'));
  }
}
