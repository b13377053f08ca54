import type { GatewayCounts } from '../ib-gateway/census.js';
import type { Meter, Range } from './meter.js';
import type { IbComparison } from './types.js';

/** The client's own counts, beside those of its connections. */
export interface ClientView {
  /** Streams of market data that the gateway should have now. */
  readonly streams: number;
}

/** The client's counts beside the gateway's own. */
export function compareCounts(meter: Meter, view: ClientView, counts: GatewayCounts): IbComparison[] {
  const { clients, connections, messages, errors, subscriptions } = counts;
  const kinds = meter.messages();
  const names = new Set([...kinds.keys(), ...Object.keys(messages.receivedByType)]);
  const ids = new Set([...meter.clientIds, ...Object.keys(clients.readyById).map(Number)]);
  const codes = new Set([...meter.codes.keys(), ...Object.keys(errors).map(Number)]);
  return [
    comparison('connections', meter.connections(), connections.accepted),
    ...[...ids]
      .sort((a, b) => a - b)
      .map((id) => comparison(`sessions of id ${id}`, meter.sessions(id), clients.readyById[id] ?? 0)),
    comparison('ids in use', meter.duplicates(), clients.duplicateIds),
    ...[...names]
      .sort()
      .map((name) =>
        comparison(`${name} sent`, kinds.get(name) ?? exactly(0), messages.receivedByType[name] ?? 0),
      ),
    ...[...codes]
      .sort((a, b) => a - b)
      .map((code) => {
        const heard = meter.codes.get(code) ?? 0;
        // A message to a connection in its last moment may not have arrived.
        const most = meter.anyEnded ? Number.POSITIVE_INFINITY : heard;
        return comparison(`code ${code} told`, { least: heard, most }, errors[code] ?? 0);
      }),
    comparison('streams open', exactly(view.streams), subscriptions.open.marketData),
  ];
}

function exactly(count: number): Range {
  return { least: count, most: count };
}

function comparison(what: string, { least, most }: Range, gateway: number): IbComparison {
  return {
    what,
    gateway,
    clientLeast: least,
    clientMost: Number.isFinite(most) ? most : null,
    ok: gateway >= least && gateway <= most,
  };
}
