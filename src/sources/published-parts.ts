import { count, type Fields, figure, isObject, listOf, text } from './fields.js';
import type {
  FeedConnectionReading,
  FeedReading,
  IbConnectionReading,
  IbPacingReading,
  IbReading,
  PoolReading,
} from './types.js';

/** What only pools of one kind tell. A part that makes no sense is left out. */
export function partsOf(value: unknown): Pick<PoolReading, 'ib' | 'feed'> {
  if (!isObject(value)) return {};
  const [ib, feed] = [
    isObject(value.ib) ? toIb(value.ib) : null,
    isObject(value.feed) ? toFeed(value.feed) : null,
  ];
  return { ...(ib === null ? {} : { ib }), ...(feed === null ? {} : { feed }) };
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
