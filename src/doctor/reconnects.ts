/** From so many on they are no single restart. */
const LEAST = 3;
const PER_HOUR = 6;

/** Whether connections are lost again and again, by the time since the application was started. */
export function isStorm(lost: number, app: { readonly startedAtMs: number } | null, nowMs: number): boolean {
  return lost >= LEAST && perHour(lost, app, nowMs) > PER_HOUR;
}

/** `7 times in 2.5 h`; an application younger than a minute counts as one. */
export function reconnectText(
  lost: number,
  app: { readonly startedAtMs: number } | null,
  nowMs: number,
): string {
  const times = `${lost} ${lost === 1 ? 'time' : 'times'}`;
  return app === null ? times : `${times} in ${hours(app, nowMs)}`;
}

export const STORM_TEXT = `From ${LEAST} times on, and more often than ${PER_HOUR} times an hour since the application was started.`;

function perHour(lost: number, app: { readonly startedAtMs: number } | null, nowMs: number): number {
  return app === null ? lost : (lost * 3_600_000) / Math.max(60_000, nowMs - app.startedAtMs);
}

function hours({ startedAtMs }: { readonly startedAtMs: number }, nowMs: number): string {
  const minutes = Math.max(1, Math.round((nowMs - startedAtMs) / 60_000));
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
