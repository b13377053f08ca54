import type { Ending, Verdict } from './venue.js';

const MINUTE_MS = 60_000;
const MOST_WAIT_MS = 15 * MINUTE_MS;
const RATE_WAIT_MS = 5000;

/** Close codes by which venues refuse credentials: IANA's 3000 and 3003, and those made from 401 and 403. */
const AUTH_CODES = new Set([3000, 3003, 4401, 4403]);
/** Codes that leave the meaning to the reason: policy, and the venue's own. */
const isOpenCode = (code: number): boolean => code === 1008 || (code >= 4000 && code < 5000);
const AUTH_REASON =
  /log.?in|auth|credential|forbidden|api.?key|access.?key|(token|session|key|jwt).*(expired|invalid|missing|required)|(expired|invalid|missing).*(token|session|key|jwt)/i;
const RATE_REASON = /too many (requests|messages)|\brate\b|too fast|too frequent|slow down|thrott/i;
const QUOTA_REASON =
  /too many connections|connection limit|max.?connections|already connected|logged in elsewhere/i;

export interface Streak {
  /** Ends before this one since the connection was last stable, so that waits grow. */
  readonly inARow: number;
  /** The longest wait of the back-off. */
  readonly capMs: number;
}

/** The default verdict on an end. */
export function judgeEnding(end: Ending, { inARow, capMs }: Streak): Verdict {
  const wait = (baseMs: number): Verdict =>
    waitFor(Math.min(MOST_WAIT_MS, baseMs * 2 ** Math.min(inARow, 20)));
  if (end.failure !== null) return ofFailure(end.failure, wait);
  if (end.httpStatus !== null) return ofStatus(end, end.httpStatus, { inARow, capMs }, wait);
  if (end.code === null) return verdict('retry');
  return ofCode(end.code, end.reason, wait);
}

function ofFailure(
  { kind, message }: NonNullable<Ending['failure']>,
  wait: (baseMs: number) => Verdict,
): Verdict {
  switch (kind) {
    case 'auth':
      return verdict('renew');
    case 'plan':
      return stop(message);
    case 'quota':
      return wait(MINUTE_MS);
    case 'rate':
      return wait(RATE_WAIT_MS);
    case 'protocol':
      return verdict('retry');
  }
}

function ofStatus(
  end: Ending,
  status: number,
  { inARow, capMs }: Streak,
  wait: (baseMs: number) => Verdict,
): Verdict {
  if (status === 401 || status === 403) return verdict('renew');
  if (status === 400) {
    return stop('the server calls the opening request malformed (HTTP 400)');
  }
  // The first time, the server's own word counts; if it refuses again, its word was too short.
  if (status === 429) {
    if (end.retryAfterMs !== null && inARow === 0) return waitFor(end.retryAfterMs);
    const { ms } = wait(MINUTE_MS) as { readonly ms: number };
    return waitFor(Math.max(ms, end.retryAfterMs ?? 0));
  }
  // A web server that answers as one is no overload: venues do so for hours while they are half down.
  return status >= 500 ? verdict('retry') : waitFor(capMs);
}

function ofCode(code: number, reason: string, wait: (baseMs: number) => Verdict): Verdict {
  if (code === 1001 || code === 1012) return verdict('now');
  if (code === 1013) return wait(RATE_WAIT_MS);
  if (AUTH_CODES.has(code) || (code === 4001 && reason === '')) return verdict('renew');
  if (isOpenCode(code)) {
    if (RATE_REASON.test(reason)) return wait(RATE_WAIT_MS);
    if (QUOTA_REASON.test(reason)) return wait(MINUTE_MS);
    if (AUTH_REASON.test(reason)) return verdict('renew');
    if (code === 1008) return wait(RATE_WAIT_MS);
  }
  return verdict('retry');
}

const verdict = (then: 'retry' | 'now' | 'renew'): Verdict => ({ then });
// biome-ignore lint/suspicious/noThenProperty: a verdict is never awaited
const waitFor = (ms: number): Verdict => ({ then: 'wait', ms });
// biome-ignore lint/suspicious/noThenProperty: as above
const stop = (message: string): Verdict => ({ then: 'stop', message });
