import type { Clock } from '../../base/clock.js';

/** A clock on which everything takes a `speed`th of its time: ten minutes of pacing in one, at speed 10. */
export function fasterClock(clock: Clock, speed: number): Clock {
  const [startMs, wallStartMs] = [clock.now(), clock.wallTime()];
  const elapsedMs = () => (clock.now() - startMs) * speed;
  return {
    now: () => startMs + elapsedMs(),
    wallTime: () => wallStartMs + elapsedMs(),
    setTimer: (callback, delayMs, options) => clock.setTimer(callback, delayMs / speed, options),
    defer: (callback) => clock.defer(callback),
  };
}
