import type { FeedLimits, FeedMessage, FeedProtocol, FeedTick, RefusedSymbol } from './protocol.js';

/**
 * A feed that speaks JSON, in the words that most venues have in some spelling:
 *
 * - we send `{"op":"subscribe","id":1,"symbols":["A","B"]}`, and the same with `unsubscribe`;
 * - it confirms with `{"id":1,"ok":true,"refused":[{"symbol":"B","reason":"unknown"}]}`, or asks for patience with
 *   `{"id":1,"busy":true,"retryAfterMs":500}`;
 * - a tick is an object with `symbol`, and `seq` if it has one; several come as `{"ticks":[...]}`.
 */
export function jsonFeed(limits: Partial<FeedLimits> = {}): FeedProtocol {
  return {
    name: 'json',
    limits: { symbolsPerMessage: 200, messagesPerSecond: 4, confirms: true, repeatable: true, ...limits },
    subscribe: (symbols, id) => JSON.stringify({ op: 'subscribe', id, symbols }),
    unsubscribe: (symbols, id) => JSON.stringify({ op: 'unsubscribe', id, symbols }),
    parse: (data) => messageOf(JSON.parse(data)),
  };
}

interface Wire {
  readonly id?: unknown;
  readonly ok?: unknown;
  readonly busy?: unknown;
  readonly retryAfterMs?: unknown;
  readonly refused?: unknown;
  readonly symbol?: unknown;
  readonly seq?: unknown;
  readonly ticks?: unknown;
}

function messageOf(value: unknown): FeedMessage {
  if (typeof value !== 'object' || value === null) return { kind: 'other' };
  const wire = value as Wire;
  // The commonest first: there are hundreds of thousands a second.
  if (typeof wire.symbol === 'string') {
    return { kind: 'tick', symbol: wire.symbol, seq: numberOr(wire.seq, null), data: value };
  }
  if (Array.isArray(wire.ticks)) return { kind: 'ticks', ticks: wire.ticks.flatMap(tickOf) };
  const requestId = numberOr(wire.id, null);
  if (wire.busy === true) return { kind: 'busy', requestId, retryAfterMs: numberOr(wire.retryAfterMs, 1000) };
  if (requestId !== null && wire.ok === true) {
    return {
      kind: 'done',
      requestId,
      refused: Array.isArray(wire.refused) ? wire.refused.flatMap(refusedOf) : [],
    };
  }
  return { kind: 'other' };
}

function tickOf(value: unknown): FeedTick[] {
  const { symbol, seq } = (value ?? {}) as Wire;
  return typeof symbol === 'string' ? [{ symbol, seq: numberOr(seq, null), data: value }] : [];
}

function refusedOf(value: unknown): RefusedSymbol[] {
  const { symbol, reason } = (value ?? {}) as { symbol?: unknown; reason?: unknown };
  if (typeof symbol !== 'string') return [];
  return [{ symbol, reason: typeof reason === 'string' ? reason : 'no reason given' }];
}

function numberOr<Other>(value: unknown, other: Other): number | Other {
  return typeof value === 'number' && Number.isFinite(value) ? value : other;
}
