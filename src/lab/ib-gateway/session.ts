import type { Socket } from 'node:net';
import type { Timer } from '../../base/clock.js';
import type { DoorFault } from './fault-board.js';
import { handlers } from './handlers.js';
import type { Client, House } from './house.js';
import { countOrder, placeAndReject, sendOwnOrders } from './order-desk.js';
import { type DropManner, Outbox } from './outbox.js';
import { Subscriptions } from './subscriptions.js';
import { encodeFrame, encodeUnframed, FrameReader, type Hello, type Inbound } from './wire/frames.js';
import { type Notice, notices, textOf } from './wire/notices.js';
import * as replies from './wire/replies.js';
import type { Request } from './wire/request-types.js';
import { decodeRequest } from './wire/requests.js';
import { negotiate } from './wire/versions.js';

/** How far a connection has come. */
type Phase =
  /** Its first bytes are awaited. */
  | 'hello'
  /** The versions are agreed on, the client's id is awaited. */
  | 'starting'
  | 'ready'
  /** It gets nothing any more, and is closed soon. */
  | 'rejected'
  | 'ended';

/** Clients that say nothing are not waited for longer. */
const HANDSHAKE_MS = 30_000;
/** A client whose id is in use has this long to read the refusal. */
const REJECTED_MS = 700;
/** The newest version whose messages have no length prefixes. */
const LAST_UNFRAMED_VERSION = 76;
/** The longest wait for output that is left. */
const CLOSING_MS = 1000;

/** One connection of a client, from the first byte to the last. */
export class Session implements Client {
  clientId: number | null = null;
  version = 0;
  readonly subscriptions = new Subscriptions();
  /** Requests for history that have not been answered. */
  readonly openHistory = new Set<number>();
  /** As the client has asked for: 1 live, 3 delayed, ... */
  marketDataType = 1;
  /** Whether it neither reads nor writes any more, and nobody has noticed. */
  frozen = false;
  readonly #house: House;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #reader = new FrameReader();
  readonly #door: DoorFault;
  /** Read, and not yet worked on: the client is behind with reading. */
  #inbox: Inbound[] = [];
  #phase: Phase = 'hello';
  #timer: Timer | null = null;
  #strikes = 0;
  #endedByUs = false;
  readonly #onEnd: (ended: Session) => void;

  /** The socket is paused until it may be read. `onEnd` is called once, never before the constructor returns. */
  constructor(socket: Socket, house: House, door: DoorFault, onEnd: (ended: Session) => void) {
    this.#house = house;
    this.#socket = socket;
    this.#door = door;
    this.#onEnd = onEnd;
    this.#outbox = new Outbox(socket, {
      clock: house.clock,
      fault: () => house.faults.output(this),
      onBytes: (bytes) => {
        house.census.bytesSent += bytes;
      },
      onRoom: () => this.#work(),
    });
    // Any error of the socket ends the client: nothing else matters here.
    socket.on('error', () => {});
    socket.on('close', () => this.#end());
    socket.on('data', (bytes) => this.#receive(bytes));
    if (door.delayMs > 0) this.#after(door.delayMs, () => this.#open());
    else this.#open();
  }

  get isReady(): boolean {
    return this.#phase === 'ready';
  }

  /** Whether it gets what it has not asked for just now: ticks are dropped for those who do not keep up. */
  get takesTicks(): boolean {
    return this.isReady && !this.frozen && !this.#outbox.isFull && !this.#house.faults.mutes(this, null);
  }

  send(reply: replies.Reply, onSent: (() => void) | null = null): void {
    if (this.frozen || this.#phase === 'ended') return;
    const { census } = this.#house;
    census.sent++;
    census.sentByType.add(replies.replyName(reply));
    this.#outbox.send(encodeFrame(reply), onSent);
  }

  /** Sends an error or notice; the id is that of the request, -1 for none. */
  tell({ code, text }: Notice, id = -1): void {
    if (this.frozen || this.#phase === 'ended') return;
    this.#house.census.errors.add(code);
    this.send(replies.errorMessage({ id, code, text }, this.version, this.#house.clock.wallTime()));
  }

  /** Runs `work`; what it sends goes out together. */
  batch(work: () => void): void {
    this.#outbox.batch(work);
  }

  /** Sends these bytes as they are. */
  sendRaw(bytes: Buffer): void {
    if (!this.frozen) this.#outbox.send(bytes);
  }

  corruptNext(length: number): void {
    this.#outbox.corruptNext(length);
  }

  /** Ends the connection when so many bytes more have been sent. */
  drop(afterBytes: number, manner: DropManner): void {
    if (this.frozen) {
      void this.destroyed();
      return;
    }
    this.#endedByUs = true;
    this.#outbox.dropAfter(afterBytes, manner);
  }

  /** Stops reading and writing, without a word to the client. */
  freeze(): void {
    this.frozen = true;
    this.#timer?.cancel();
    this.#outbox.shut();
    this.#socket.pause();
  }

  /** Ends it when all that was sent has left. */
  finish(): void {
    if (this.frozen) {
      void this.destroyed();
      return;
    }
    this.#endedByUs = true;
    this.#phase = 'rejected';
    this.#outbox.flush();
    this.#socket.destroySoon();
    // One that does not read would keep it open.
    this.#after(CLOSING_MS, () => this.#socket.destroy());
  }

  /** Ends it at once. */
  destroy(): void {
    this.#endedByUs = true;
    this.#socket.destroy();
  }

  /** Ends it at once; resolves when it is. */
  async destroyed(): Promise<void> {
    this.frozen = false;
    if (this.#socket.closed) {
      this.#end();
      return;
    }
    await new Promise<void>((resolve) => {
      this.#socket.once('close', () => resolve());
      this.destroy();
    });
  }

  #open(): void {
    if (this.#phase === 'ended') return;
    this.#after(HANDSHAKE_MS, () => {
      if (!this.#door.silent) this.destroy();
    });
    this.#socket.resume();
  }

  #receive(bytes: Buffer): void {
    this.#house.census.bytesReceived += bytes.length;
    if (this.frozen) return;
    const found = this.#reader.take(bytes);
    if (this.#inbox.length === 0) this.#inbox = found;
    else this.#inbox.push(...found);
    this.#work();
  }

  /** Works on what has come, for as long as the client takes the answers. */
  #work(): void {
    this.batch(() => {
      let done = 0;
      while (done < this.#inbox.length && !this.frozen && this.#phase !== 'ended' && !this.#outbox.isFull) {
        this.#take(this.#inbox[done++] as Inbound);
      }
      this.#inbox = done === this.#inbox.length ? [] : this.#inbox.slice(done);
    });
    if (this.frozen) return;
    if (this.#inbox.length > 0) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #take(inbound: Inbound): void {
    switch (inbound.kind) {
      case 'bad':
        if (inbound.reason === 'no length prefixes') this.#answerUnframed();
        this.#refuse(inbound.reason);
        return;
      case 'hello':
        this.#agree(inbound.hello);
        return;
      case 'message':
        this.#hear(inbound.fields);
        return;
    }
  }

  #agree(hello: Hello): void {
    const { options, clock, census } = this.#house;
    if (this.#door.silent) {
      this.#phase = 'rejected';
      return;
    }
    const version = this.#door.version ?? negotiate(hello, options.serverVersion);
    if (version === null) {
      this.#explain(hello);
      this.#refuse('no common version');
      return;
    }
    this.version = version;
    census.byVersion.add(version);
    this.#phase = version > 200 ? 'rejected' : 'starting';
    census.sent++;
    census.sentByType.add('serverVersion');
    this.#outbox.send(encodeFrame([version, connectionTime(clock.wallTime())]));
  }

  /** Tells a client that speaks other versions which ones this gateway has, so that it can say more than "closed". */
  #explain({ fromVersion }: Hello): void {
    const { options, clock } = this.#house;
    this.version = options.serverVersion;
    this.#outbox.send(encodeFrame([options.serverVersion, connectionTime(clock.wallTime())]));
    this.tell(fromVersion > options.serverVersion ? notices.clientTooNew : notices.clientTooOld);
  }

  /** Tells the same to a client of before 2016, in the form that it reads. */
  #answerUnframed(): void {
    if (this.#door.silent) return;
    const { clock, census } = this.#house;
    const { code, text } = notices.clientTooOld;
    census.errors.add(code);
    this.#outbox.send(encodeUnframed([LAST_UNFRAMED_VERSION, connectionTime(clock.wallTime())]));
    this.#outbox.send(encodeUnframed([4, 2, -1, code, text]));
  }

  #hear(fields: readonly string[]): void {
    if (this.#phase === 'rejected') return;
    const { census, clock, options, faults } = this.#house;
    census.received++;
    const decoded = decodeRequest(fields, this.version);
    census.receivedByType.add(decoded.ok ? decoded.request.name : decoded.reason);
    if (this.#phase === 'starting') {
      if (decoded.ok && decoded.request.name === 'startApi') {
        this.#start(decoded.request.clientId);
        return;
      }
      this.#refuse('message before START_API');
      return;
    }
    const rate = census.perSecond.add(clock.now());
    if (decoded.ok && faults.mutes(this, decoded.request.name)) {
      census.muted++;
      if (decoded.request.name === 'history') this.openHistory.add(decoded.request.id);
      return;
    }
    if (options.messagesPerSecond !== null && rate > options.messagesPerSecond) {
      this.tell(notices.rateExceeded(options.messagesPerSecond));
      this.#strikes++;
      if (options.strikes !== null && this.#strikes >= options.strikes) this.finish();
      return;
    }
    if (!decoded.ok) {
      const isUnknown = decoded.reason === 'unknown';
      census.badInput.add(isUnknown ? `message type ${decoded.type}` : 'malformed message');
      const invalid = notices.invalid(`there is no message of type ${decoded.type}`);
      this.tell(isUnknown ? invalid : notices.unreadable, decoded.id);
      return;
    }
    this.#answer(decoded.request);
  }

  #answer(request: Request): void {
    if (request.name === 'startApi') {
      this.#house.census.badInput.add('second START_API');
      this.tell(notices.invalid('the API has been started'));
      return;
    }
    const house = this.#house;
    if (request.name === 'placeOrder') countOrder(house, this.clientId, request.id);
    const fault = house.faults.errorFor(this, request);
    if (fault === null) {
      handlers[request.name](this, house, request as never);
      return;
    }
    const { code, text = textOf(fault.code), effect = 'refuse' } = fault;
    if (effect === 'reject' && request.name === 'placeOrder') {
      placeAndReject(this, house, request, { code, text });
      return;
    }
    this.tell({ code, text }, 'id' in request ? request.id : -1);
    if (effect === 'advise') handlers[request.name](this, house, request as never);
  }

  #start(clientId: number): void {
    const { census, options, sessions, log, orders } = this.#house;
    if (clientId < 0) {
      this.#refuse('negative client id');
      return;
    }
    const holder = [...sessions].find((one) => one.clientId === clientId);
    if (holder !== undefined) {
      census.duplicateIds++;
      log(`client ${clientId} refused: the id is in use`);
      this.tell(notices.clientIdInUse);
      this.#phase = 'rejected';
      this.#after(REJECTED_MS, () => this.finish());
      return;
    }
    this.#timer?.cancel();
    this.clientId = clientId;
    this.#phase = 'ready';
    census.readyById.add(clientId);
    const ready = [...sessions].filter((one) => one.isReady).length;
    census.mostReady = Math.max(census.mostReady, ready);
    log(`client ${clientId} ready, version ${this.version}`);
    this.send(replies.managedAccounts(options.accounts));
    this.send(replies.nextValidId(orders.nextId));
    sendOwnOrders(this, this.#house);
    if (!this.#house.linked) {
      this.tell(notices.serverLinkBroken);
      return;
    }
    for (const code of [2104, 2106, 2158]) this.tell(notices.farm(code));
  }

  #refuse(reason: string): void {
    this.#house.census.badInput.add(reason);
    this.#house.log(`connection closed: ${reason}`);
    this.finish();
  }

  #after(ms: number, callback: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#house.clock.setTimer(callback, ms, { background: true });
  }

  #end(): void {
    // A connection that is half open ends without anybody noticing: its id stays in use.
    if (this.#phase === 'ended' || this.frozen) return;
    const { census, log } = this.#house;
    this.#phase = 'ended';
    this.#timer?.cancel();
    this.#outbox.shut();
    this.#inbox = [];
    if (this.#endedByUs) census.endedByGateway++;
    else census.endedByClient++;
    census.subscriptionsDropped += this.subscriptions.size;
    this.subscriptions.clear();
    this.openHistory.clear();
    if (this.clientId !== null) log(`client ${this.clientId} gone`);
    this.#onEnd(this);
  }
}

/** `20260105 16:00:00 UTC` */
function connectionTime(wallMs: number): string {
  const iso = new Date(wallMs).toISOString();
  return `${iso.slice(0, 10).replaceAll('-', '')} ${iso.slice(11, 19)} UTC`;
}
