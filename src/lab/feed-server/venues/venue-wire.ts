/** The limits of a venue, and its actions by the clock. Durations are in milliseconds; null: it has none. */
export interface VenueRules {
  /** Connections at once; one more is refused with HTTP 429. */
  readonly connections: number;
  readonly symbols: number;
  /** Frames of one connection in any window. With `countsControl` pings and pongs are frames too. */
  readonly frames: {
    readonly most: number;
    readonly windowMs: number;
    readonly countsControl: boolean;
  } | null;
  /** Requests of one connection in any window. */
  readonly requests: { readonly most: number; readonly windowMs: number } | null;
  /** Frames of all connections in any window. */
  readonly framesTogether: { readonly most: number; readonly windowMs: number } | null;
  /** Openings in any window; one more is refused with HTTP 429. */
  readonly dials: { readonly most: number; readonly windowMs: number } | null;
  /** A connection is ended at this age. */
  readonly maxAgeMs: number | null;
  /** A connection is ended if the client sends nothing for so long. */
  readonly silentMs: number | null;
  /** A connection is ended if its first request does not come within this time. */
  readonly firstRequestMs: number | null;
  /** Ping frames are sent so often, and must be answered in time. */
  readonly ping: { readonly everyMs: number; readonly answerMs: number } | null;
  /** Messages that show life are sent so often. */
  readonly heartbeatMs: number | null;
}

export const NO_RULES: VenueRules = {
  ...{
    connections: Number.POSITIVE_INFINITY,
    symbols: Number.POSITIVE_INFINITY,
    frames: null,
    requests: null,
  },
  ...{ framesTogether: null, dials: null, maxAgeMs: null, silentMs: null, firstRequestMs: null, ping: null },
  heartbeatMs: null,
};

/** Something that happened in the market; its number counts the events of its symbol. */
export interface MarketEvent {
  readonly symbol: string;
  readonly seq: number;
  /** In hundredths, so that every wire can carry it exactly. */
  readonly cents: number;
  readonly wallMs: number;
}

/** How one venue is spoken to, from its side. It shares no code with the adapter that it judges. */
export interface VenueWire {
  readonly name: string;
  readonly rules: VenueRules;
  /** Offers permessage-deflate. */
  readonly compresses: boolean;
  /** The HTTP status that refuses an opening; null accepts it. */
  opening(url: URL, headers: Readonly<Record<string, string | undefined>>): number | null;
  session(line: VenueLine): VenueSession;
}

/** One connection, as a wire sees it. */
export interface VenueLine {
  readonly url: URL;
  /** Each with its mode. */
  readonly symbols: ReadonlyMap<string, string>;
  readonly wallMs: number;
  send(frame: string | Uint8Array): void;
  /** A reply to a request: it comes late, or not at all, if the faults say so. */
  reply(frame: string | Uint8Array): void;
  close(code: number, reason: string): void;
  /** A request that is neither carried out nor answered. */
  isChoked(symbols: readonly string[]): boolean;
  /** `unknown`: refused on purpose. `full`: the connection has as many as it may. */
  subscribe(symbol: string, mode: string): 'new' | 'again' | 'unknown' | 'full';
  unsubscribe(symbol: string): boolean;
  /** The newest event of a symbol; null where there has been none. */
  latest(symbol: string): MarketEvent | null;
  /** The client broke a rule that only the wire can see. */
  violation(what: string): void;
}

export interface VenueSession {
  opened?(): void;
  received(frame: string | Buffer): void;
  /** Tells of an event of a symbol that the connection has. */
  tick(event: MarketEvent): void;
  heartbeat?(): void;
  /** The client is above a limit of frames or requests. Returns true if the venue still reads the frame. */
  tooFast?(): void;
  /** The connection ends soon, because of its age or because the venue asks the client to leave. */
  leaving?(): void;
}
