import { count, type Fields, figure, isObject, listOf, text } from './fields.js';
import type {
  FeedConnectionReading,
  FeedReading,
  HttpOriginReading,
  HttpReading,
  IbConnectionReading,
  IbPacingReading,
  IbReading,
  PoolReading,
} from './types.js';

/** What only pools of one kind tell. A part that makes no sense is left out. */
export function partsOf(value: unknown): Pick<PoolReading, 'ib' | 'feed' | 'http'> {
  if (!isObject(value)) return {};
  const ib = isObject(value.ib) ? toIb(value.ib) : null;
  const feed = isObject(value.feed) ? toFeed(value.feed) : null;
  const http = isObject(value.http) ? toHttp(value.http) : null;
  return {
    ...(ib === null ? {} : { ib }),
    ...(feed === null ? {} : { feed }),
    ...(http === null ? {} : { http }),
  };
}

function toIb(value: Fields): IbReading | null {
  const [host, port] = [text(value.host), count(value.port)];
  if (host === null || port === null) return null;
  return {
    ...{ host, port },
    clientIds: listOf(value.clientIds).flatMap((one) => count(one) ?? []),
    clientIdsFree: count(value.clientIdsFree),
    pacing: isObject(value.pacing) ? toPacing(value.pacing) : null,
    connections: listOf(value.connections).flatMap((one) => toIbConnection(one) ?? []),
  };
}

function toPacing(value: Fields): IbPacingReading | null {
  const [limitPerSecond, messagesPerSecond] = [figure(value.limitPerSecond), figure(value.messagesPerSecond)];
  const [peakSecond, sent, waiting] = [count(value.peakSecond), count(value.sent), count(value.waiting)];
  if (limitPerSecond === null || messagesPerSecond === null) return null;
  if (peakSecond === null || sent === null || waiting === null) return null;
  return {
    ...{ limitPerSecond, messagesPerSecond, peakSecond, sent, waiting },
    longestWaitMs: figure(value.longestWaitMs),
  };
}

function toIbConnection(value: unknown): IbConnectionReading | null {
  if (!isObject(value)) return null;
  const [clientId, state] = [count(value.clientId), text(value.state)];
  const counters = isObject(value.supervisor) ? value.supervisor : {};
  if (clientId === null || state === null) return null;
  const counter = (name: string): number => count(counters[name]) ?? 0;
  return {
    ...{ clientId, state, upstream: text(value.upstream) },
    ...{ attempts: counter('attempts'), ready: counter('ready'), lost: counter('lost') },
    ...{ heartbeatsMissed: counter('heartbeatsMissed'), idCollisions: counter('idCollisions') },
  };
}

function toFeed(value: Fields): FeedReading | null {
  const [symbols, live, capacity] = [count(value.symbols), count(value.live), count(value.capacity)];
  if (symbols === null || live === null || capacity === null) return null;
  const counter = (name: string): number => count(value[name]) ?? 0;
  return {
    ...{ symbols, live, capacity, exhausted: counter('exhausted'), refused: counter('refused') },
    ...{ stale: counter('stale'), gaps: counter('gaps'), conflated: counter('conflated') },
    ...{ dropped: counter('dropped'), slowDisconnects: counter('slowDisconnects'), ticks: counter('ticks') },
    connections: listOf(value.connections).flatMap((one) => toFeedConnection(one) ?? []),
  };
}

function toFeedConnection(value: unknown): FeedConnectionReading | null {
  if (!isObject(value)) return null;
  const [id, state, symbols] = [count(value.id), text(value.state), count(value.symbols)];
  if (id === null || state === null || symbols === null) return null;
  const reconnects = count(value.reconnects) ?? 0;
  return { id, state, symbols, reconnects, lastTickAgoMs: figure(value.lastTickAgoMs) };
}

function toHttp(value: Fields): HttpReading | null {
  const [requests, failed, sent] = [count(value.requests), count(value.failed), count(value.sent)];
  if (requests === null || failed === null || sent === null) return null;
  return {
    ...{ requests, failed, sent, reuseRatio: figure(value.reuseRatio) },
    closed: countsIn(value.closed),
    retries: countsIn(value.retries),
    timeouts: countsIn(value.timeouts),
    origins: listOf(value.origins).flatMap((one) => toOrigin(one) ?? []),
  };
}

function toOrigin(value: unknown): HttpOriginReading | null {
  if (!isObject(value)) return null;
  const [origin, waiting] = [text(value.origin), count(value.waiting)];
  return origin === null || waiting === null ? null : { origin, waiting, breaker: text(value.breaker) };
}

/** Anybody may name them: no more than there are reasons for anything. */
const MOST_COUNTS = 50;

function countsIn(value: unknown): Readonly<Record<string, number>> {
  if (!isObject(value)) return {};
  const entries = Object.entries(value).slice(0, MOST_COUNTS);
  return Object.fromEntries(
    entries.flatMap(([name, one]) => {
      const counted = count(one);
      return counted === null ? [] : [[name, counted]];
    }),
  );
}
