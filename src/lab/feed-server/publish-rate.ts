import type { Clock, Timer } from '../../base/clock.js';

const PUBLISH_EVERY_MS = 20;

/** Publishes by what should have been sent by now, so that late timers do not lower the rate. Returns the way to stop. */
export function publishAt(perSecond: number, publish: (count: number) => void, clock: Clock): () => void {
  const startedAt = clock.now();
  let due = 0;
  let timer: Timer | null = null;
  const turn = (): void => {
    const target = Math.floor(((clock.now() - startedAt) * perSecond) / 1000);
    publish(target - due);
    due = target;
    timer = clock.setTimer(turn, PUBLISH_EVERY_MS, { background: true });
  };
  turn();
  return () => timer?.cancel();
}
