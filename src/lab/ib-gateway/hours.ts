import type { Instrument } from './wire/model.js';

/** When bars exist: on which days, and between which seconds of the day (UTC). */
export interface Session {
  readonly weekends: boolean;
  readonly fromS: number;
  readonly toS: number;
}

const DAY_S = 86_400;
const ALL_DAY = { fromS: 0, toS: DAY_S };
/** 9:30 to 16:00 in New York, in winter. */
const REGULAR = { fromS: 14.5 * 3600, toS: 21 * 3600 };
/** With the trading before and after, as far as it falls on the same day. */
const EXTENDED = { fromS: 9 * 3600, toS: DAY_S };

/** The session of an instrument: regular trading hours only, or all of its hours. */
export function sessionOf({ secType, trading }: Instrument, regularOnly: boolean): Session {
  if (trading === 'always') return { weekends: true, ...ALL_DAY };
  if (secType === 'CASH' || secType === 'CMDTY') return { weekends: false, ...ALL_DAY };
  if (regularOnly || secType === 'IND') return { weekends: false, ...REGULAR };
  return { weekends: false, ...(trading === 'stock' ? EXTENDED : ALL_DAY) };
}

/**
 * How many bars a duration has: seconds count bars, and longer units count trading days.
 *
 * @param unit `S`, `D`, `W`, `M` or `Y`
 */
export function barsIn(session: Session, count: number, unit: string, barSeconds: number): number {
  const calendar = { S: 1, D: DAY_S, W: 7 * DAY_S, M: 30 * DAY_S, Y: 365 * DAY_S }[unit] ?? DAY_S;
  if (unit === 'S' || barSeconds > DAY_S) return Math.floor((count * calendar) / barSeconds);
  const trading = session.weekends ? { D: 1, W: 7, M: 30, Y: 365 } : { D: 1, W: 5, M: 21, Y: 252 };
  const days = count * (trading[unit as keyof typeof trading] ?? 1);
  const { fromS, toS } = session;
  const perDay = barSeconds >= DAY_S ? 1 : Math.ceil(toS / barSeconds) - Math.floor(fromS / barSeconds);
  return days * perDay;
}

/** The starts of the last `count` bars that begin before `endS`, newest first, in seconds since the epoch. */
export function barStarts(session: Session, count: number, endS: number, barSeconds: number): number[] {
  const starts: number[] = [];
  if (barSeconds > DAY_S) {
    const last = Math.floor((endS - 1) / barSeconds) * barSeconds;
    return Array.from({ length: count }, (_, back) => last - back * barSeconds);
  }
  const isDaily = barSeconds === DAY_S;
  let day = Math.floor((endS - 1) / DAY_S);
  let limit = endS - day * DAY_S;
  while (starts.length < count) {
    if (session.weekends || !isWeekend(day)) {
      if (isDaily) starts.push(day * DAY_S);
      else addBars(starts, session, count, day * DAY_S, Math.min(limit, session.toS), barSeconds);
    }
    day--;
    limit = DAY_S;
  }
  return starts;
}

/** The last `count` sessions that begin before `endS`, oldest first: their starts and ends. */
export function sessionsBefore(
  session: Session,
  count: number,
  endS: number,
): { fromS: number; toS: number }[] {
  return barStarts(session, count, endS, DAY_S)
    .map((dayS) => ({ fromS: dayS + session.fromS, toS: dayS + session.toS }))
    .reverse();
}

/** As contract details have them: today and tomorrow, in UTC. */
export function hoursText(session: Session, nowMs: number): string {
  const today = Math.floor(nowMs / 1000 / DAY_S);
  return [0, 1].map((ahead) => dayText(session, today + ahead)).join(';');
}

function dayText({ weekends, fromS, toS }: Session, day: number): string {
  const date = new Date(day * DAY_S * 1000).toISOString().slice(0, 10).replaceAll('-', '');
  if (!weekends && isWeekend(day)) return `${date}:CLOSED`;
  return `${date}:${clockText(fromS)}-${date}:${clockText(Math.min(toS, DAY_S - 60))}`;
}

function clockText(seconds: number): string {
  const part = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return part(seconds / 3600) + part((seconds % 3600) / 60);
}

function addBars(
  starts: number[],
  { fromS }: Session,
  count: number,
  dayS: number,
  limit: number,
  barSeconds: number,
): void {
  if (limit <= fromS) return;
  let at = Math.floor((limit - 1) / barSeconds) * barSeconds;
  while (starts.length < count && at + barSeconds > fromS) {
    starts.push(dayS + Math.max(at, fromS));
    at -= barSeconds;
  }
}

/** 1970-01-01 was a Thursday. */
function isWeekend(day: number): boolean {
  return (day + 4) % 7 === 0 || (day + 4) % 7 === 6;
}
