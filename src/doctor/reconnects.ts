/** From so many on they are no single restart. */
const LEAST = 3;
const PER_HOUR = 6;

/** When an application was started, as far as it tells. */
type Started = { readonly startedAtMs: number | null } | null;

/** Whether connections are lost again and again, by the time since the application was started. */
export function isStorm(lost: number, app: Started, nowMs: number): boolean {
  return lost >= LEAST && perHour(lost, app, nowMs) > PER_HOUR;
}

/** `7 times in 2.5 h`; an application younger than a minute counts as one. */
export function reconnectText(lost: number, app: Started, nowMs: number): string {
  const times = `${lost} ${lost === 1 ? 'time' : 'times'}`;
  const startedAtMs = app?.startedAtMs ?? null;
  return startedAtMs === null ? times : `${times} in ${hours(startedAtMs, nowMs)}`;
}

export const STORM_TEXT = `From ${LEAST} times on, and more often than ${PER_HOUR} times an hour since the application was started.`;

function perHour(lost: number, app: Started, nowMs: number): number {
  const startedAtMs = app?.startedAtMs ?? null;
  return startedAtMs === null ? lost : (lost * 3_600_000) / Math.max(60_000, nowMs - startedAtMs);
}

function hours(startedAtMs: number, nowMs: number): string {
  const minutes = Math.max(1, Math.round((nowMs - startedAtMs) / 60_000));
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
