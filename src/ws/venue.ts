import type { FeedError } from './errors.js';
import type { DialSocket, Outgoing } from './socket.js';

export type { Outgoing } from './socket.js';

/** A running number. Venues whose numbers exceed 2^53 pass a bigint. */
export type Seq = number | bigint;

/** A topic: a symbol in a mode. The mode is '' if the venue has none. */
export interface Topic {
  readonly symbol: string;
  readonly mode: string;
}

/**
 * One venue: its limits, and how to begin a socket (FeedProtocol v2). It has no state and serves all sockets of all
 * pools; what belongs to one socket lives in its FeedSession.
 */
export interface FeedVenue {
  readonly name: string;
  readonly limits: VenueLimits;
  readonly confirmation: Confirmation;
  readonly heartbeat: Heartbeat;
  /** Weakest first; a mode gives all that those before it give. Default: the venue has no modes. */
  readonly modes?: readonly string[];
  /**
   * How a topic changes its mode: by a message (`changeMode`), by unsubscribing and subscribing it, or not at all, since
   * each symbol and mode is a topic of its own that takes a place of its own. Default 'resubscribe'.
   */
  readonly modeChange?: 'message' | 'resubscribe' | 'separate';
  /** Default: numbers are passed on and not checked. */
  readonly sequence?: SequenceRule;
  /** Binary messages are unpacked before `received`, up to limits.messageBytes. Default: they are not. */
  readonly unpack?: 'gzip' | 'zlib' | 'raw-deflate';
  /** Opens sockets in place of the package `ws`, for a framing of the venue's own (NATS, MQTT, Socket.IO). */
  readonly dial?: DialSocket;
  /** The name of the address that a topic belongs to. Default: one lane for all. */
  lane?(topic: Topic): string;
  /** Called for every dial. It may take time; `signal` ends it. A rejection counts as a failed dial. */
  target(dial: Dial): Target | Promise<Target>;
  /** The state of one socket, from its opening to its end. */
  session(context: SessionContext): FeedSession;
  /** Judges an end; null leaves it to the default table. */
  judge?(end: Ending): Verdict | null;
  /** Called after a (re)subscribe or a hole. Ticks of these symbols are held until it resolves. */
  snapshot?(request: SnapshotRequest): Promise<void>;
}

/** Why a socket is dialed. */
export interface Dial {
  readonly lane: string;
  /** `renewed`: the venue refused the credentials of the last dial, so the target needs others. */
  readonly why: 'first' | 'lost' | 'rotation' | 'renewed';
  readonly connectionId: number;
  /** Counts the dials since the connection was last stable, from 1. */
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** The URL and headers for a socket. They appear in no error, event or snapshot: only the origin does. */
export interface Target {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly subprotocols?: readonly string[];
  /** How many redirects are followed. Headers and credentials go along to the same host only. Default 0. */
  readonly redirects?: number;
  /** Offers permessage-deflate. Default false. */
  readonly compression?: boolean;
  /** The socket is replaced before this age, whatever limits.maxAgeMs says: its token ends. */
  readonly expiresInMs?: number;
  /** Replaces the venue's heartbeat for this socket, where the server says how often it wants to be pinged. */
  readonly heartbeat?: Heartbeat;
  /** Anything that the session of this socket needs, such as a token. */
  readonly extra?: unknown;
}

export interface SessionContext {
  readonly lane: string;
  readonly connectionId: number;
  /** How many times the connection has been dialed. */
  readonly epoch: number;
  /** The target that this socket was opened with. */
  readonly target: Target;
  /** The symbols that the pool wants on this connection; grows and shrinks. */
  readonly topics: ReadonlySet<string>;
}

/**
 * The frames of one request, which are sent back to back. An empty list needs no answer: there is nothing to change. null:
 * the session sends the request another way, such as HTTP, and reports its outcome through `out`, as with any request.
 * Frames that exceed a limit are not sent: the session is called again with fewer topics.
 */
export type RequestFrames = readonly Outgoing[] | null;

/**
 * The state of one socket. All of it is synchronous: it is called on the hot path and answers through `out`, which may
 * also be kept and called later. If `received` throws, the message counts as not understood.
 */
export interface FeedSession {
  /** The socket is open. It must call `out.ready()`, now or once the login is done. Without it the session is ready at once. */
  opened?(out: SessionOut): void;
  /** Takes a string if the frame was text, else the bytes, which are valid only during the call. */
  received(data: string | Uint8Array, out: SessionOut): void;
  /** All topics are of one mode. */
  subscribe(topics: readonly Topic[], requestId: number): RequestFrames;
  unsubscribe(topics: readonly Topic[], requestId: number): RequestFrames;
  /** The topics have their new mode. Required where `modeChange` is 'message'. */
  changeMode?(topics: readonly Topic[], from: string, requestId: number): RequestFrames;
  /** Bytes of a request, where limits.requestBytes counts. Default: the length of its longest frame. */
  requestBytes?(topics: readonly Topic[]): number;
}

/** The pool's side of a session. Calls after the end of its socket do nothing. */
export interface SessionOut {
  /** The login is done: subscribes may go. */
  ready(): void;
  /** Sends at once, ahead of all requests, and counts in the budgets. For logins and pongs. */
  send(frame: Outgoing): void;
  tick(symbol: string, data: unknown, at?: Position): void;
  /** A message's number where it counts all messages of the connection. */
  sequence(n: Seq): void;
  /** A request was carried out as a whole. */
  done(requestId: number): void;
  /** These topics are subscribed (or unsubscribed) now. */
  confirmed(symbols: readonly string[], subscribed: boolean): void;
  /** All that is subscribed now. */
  state(symbols: readonly string[]): void;
  /** Not carried out. Without symbols: the whole request; without a number: the oldest request that is not done. */
  refused(refusal: Refusal): void;
  /** Too fast: nothing is sent for so long. The request is sent again; null names none. */
  slower(retryAfterMs: number, requestId: number | null): void;
  /** A heartbeat of the server, or the answer to ours. It is no data. */
  alive(answer: boolean): void;
  /** The server has said how it wants to be pinged. Replaces the heartbeat of this socket. */
  heartbeat(rule: Heartbeat): void;
  /** The server is going away: the socket is replaced now. */
  leaving(withinMs: number | null): void;
  /** The server has said why it ends, or we must end. The socket is ended if the server does not; its Ending carries this. */
  failed(kind: FailureKind, message: string): void;
  /** Data is known to be missing or wrong (a checksum). null: everything on this socket. */
  hole(symbols: readonly string[] | null, detail: string): void;
  /** Whether a market is open, where the venue says so. Replaces the option isMarketOpen. */
  market(segment: string, open: boolean): void;
}

export type FailureKind = 'auth' | 'plan' | 'quota' | 'rate' | 'protocol';

/** The position of a tick in its sequence. */
export interface Position {
  /** The mode that it belongs to, where it is not the one that was subscribed. */
  readonly mode?: string;
  readonly seq?: Seq | null;
  /** First number that the tick covers (U); seq is the last (u). */
  readonly from?: Seq;
  /** Number of the tick that it follows. */
  readonly prev?: Seq;
  /** It stands alone: what came before does not matter. */
  readonly snapshot?: boolean;
}

export interface Refusal {
  readonly requestId: number | null;
  readonly symbols: readonly string[] | null;
  readonly reason: string;
  /** 'unknown': never again; 'limit': the connection is full, try another; 'later': again after a wait, a few times. */
  readonly kind: 'unknown' | 'limit' | 'later';
}

/**
 * How a venue reports success: a reply to the request; topic by topic; the whole state; the first tick; not at all.
 * With 'data', a topic that is neither refused nor ticking after limits.assumeMs counts as subscribed.
 */
export type Confirmation = 'reply' | 'topic' | 'state' | 'data' | 'none';

/** Durations are in milliseconds. */
export interface VenueLimits {
  /** Sockets that the venue allows at once, over all lanes unless connectionsPer says otherwise. */
  readonly connections: number;
  /** Default 'pool'. */
  readonly connectionsPer?: 'pool' | 'lane';
  readonly topicsPerConnection: number;
  readonly topicsPerRequest: number;
  readonly budgets: readonly Budget[];
  /** Bytes of one request. Default: no limit. */
  readonly requestBytes?: number;
  /** 1 where refusals name no request. Default: no limit. Not used with the confirmations 'data' and 'none'. */
  readonly requestsInFlight?: number;
  /** Topics of one mode on a connection: alone, and together with other modes. Default: topicsPerConnection. */
  readonly topicsPerMode?: Readonly<Record<string, { readonly alone: number; readonly together: number }>>;
  /** Whether a subscribe may be sent twice without harm. Default true. */
  readonly repeatable?: boolean;
  /** See Confirmation 'data'. Default 2 s. */
  readonly assumeMs?: number;
  /** Larger messages, unpacked, end the connection. Default 1 MiB. */
  readonly messageBytes?: number;
  /** From the opening of the socket to `ready`. Default 10 s. */
  readonly loginMs?: number;
  /** The venue ends a socket at this age. Default: never. */
  readonly maxAgeMs?: number;
}

/**
 * At most `most` in any stretch of `windowMs`, wherever it begins. The venue counts what arrives, and frames that were sent a
 * second apart may arrive closer: make the window a quarter longer than the venue's.
 */
export interface Budget {
  /** A request may have several frames. Of dials, the scope 'connection' does not exist. */
  readonly what: 'frames' | 'requests' | 'dials';
  /** Budgets of a lane or the pool outlive sockets: a reconnect gets no fresh allowance. */
  readonly scope: 'connection' | 'lane' | 'pool';
  readonly most: number;
  readonly windowMs: number;
  /** Control frames that count as frames too. With 'pong' one frame is kept free for them. */
  readonly counts?: readonly ('ping' | 'pong')[];
}

/** How the peer is known to be alive. Any frame counts as a sign of life. */
export type Heartbeat =
  /** We send ping frames. */
  | { readonly kind: 'frame'; readonly everyMs: number; readonly answerMs: number }
  /** We send a message, always or only after a silence of everyMs. */
  | {
      readonly kind: 'message';
      readonly everyMs: number;
      readonly answerMs: number;
      readonly whenSilent: boolean;
      make(): Outgoing;
    }
  /** The server sends something at least so often. */
  | { readonly kind: 'server'; readonly silentMs: number };

export interface SequenceRule {
  /** 'connection' checks `out.sequence`, 'topic' the Position of ticks. */
  readonly scope: 'connection' | 'topic';
  /** seq = last + 1; from <= last + 1 <= seq (overlap is allowed); prev = last; seq > last. */
  readonly rule: 'increment' | 'range' | 'link' | 'rising';
  /** The reaction to the event `hole`: nothing; subscribe the topic again; call `snapshot`; replace the socket. */
  readonly mend: 'report' | 'resubscribe' | 'snapshot' | 'replace';
}

/** How a socket came to its end. */
export interface Ending {
  readonly phase: 'dial' | 'login' | 'open';
  /** The answer to the upgrade; null if there was none, or it was accepted. */
  readonly httpStatus: number | null;
  readonly retryAfterMs: number | null;
  /** The close code; null if no close frame came. */
  readonly code: number | null;
  /** The reason in the close frame; '' if there is none. */
  readonly reason: string;
  readonly failure: { readonly kind: FailureKind; readonly message: string } | null;
  /** How long the socket was open. */
  readonly openMs: number;
  /** The pool's facts about it. */
  readonly error: FeedError;
}

/**
 * The action after an end: dial again after the backoff, at once, with new credentials, after a time, or never until
 * `pool.reconnect()`.
 */
export type Verdict =
  | { readonly then: 'retry' | 'now' | 'renew' }
  | { readonly then: 'wait'; readonly ms: number }
  | { readonly then: 'stop'; readonly message: string };

export interface SnapshotRequest {
  readonly symbols: readonly string[];
  readonly why: 'subscribed' | 'hole';
  /** Aborts when the socket ends. */
  readonly signal: AbortSignal;
  /** Gives the snapshot to the subscribers. Held ticks up to `seq` are dropped, later ones follow. */
  deliver(symbol: string, data: unknown, seq: Seq | null): void;
  /** Sends on the socket that the symbols are on; counts in the budgets. */
  send(frame: Outgoing): void;
}
