import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.js';

/** How a connection's output is disturbed just now. */
export interface OutputFault {
  /** How long the next message is held back, in milliseconds; asked once per message. */
  delayMs(): number;
  /** Sent in pieces of that many bytes, a turn of the event loop apart; null sends whole messages. */
  readonly sliceBytes: number | null;
}

export interface OutboxOptions {
  readonly clock: Clock;
  /** The fault that holds for the connection now; null for none. Asked for each message. */
  readonly fault: () => OutputFault | null;
  /** Called with the number of bytes handed to the socket. */
  readonly onBytes: (bytes: number) => void;
  /** Called when there is room again after `isFull`. */
  readonly onRoom: () => void;
}

export type DropManner = 'reset' | 'close';

/** More bytes than that waiting for a client that does not read, and nothing more is taken on for it. */
const MOST_WAITING_BYTES = 1_000_000;

/** How long bytes have to arrive and to be read, before the connection is reset behind them. */
const ARRIVAL_MS = 20;

interface Held {
  bytes: Buffer;
  readonly dueMs: number;
  readonly sliceBytes: number | null;
  readonly onSent: (() => void) | null;
}

/** The output of one connection: in order, in few writes, and with the current faults. */
export class Outbox {
  readonly #socket: Socket;
  readonly #options: OutboxOptions;
  /** Messages of one turn, for one write. */
  #batch: Buffer[] = [];
  #batchBytes = 0;
  #batchDepth = 0;
  /** Messages that are held back by a fault. */
  #held: Held[] = [];
  #heldBytes = 0;
  #lastDueMs = 0;
  #timer: Timer | null = null;
  #slicing = false;
  #wasFull = false;
  #corruptLength: number | null = null;
  #dropAfter: { bytes: number; readonly manner: DropManner } | null = null;
  #shut = false;

  constructor(socket: Socket, options: OutboxOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('drain', () => this.#noticeRoom());
  }

  /** Whether the client is so far behind that it should get no more. */
  get isFull(): boolean {
    const full = this.#heldBytes + this.#batchBytes + this.#socket.writableLength > MOST_WAITING_BYTES;
    if (full) this.#wasFull = true;
    return full;
  }

  /** Sends a message; `onSent` is called when it has left for the socket. */
  send(frame: Buffer, onSent: (() => void) | null = null): void {
    if (this.#shut) return;
    if (this.#corruptLength !== null) {
      frame.writeUInt32BE(this.#corruptLength, 0);
      this.#corruptLength = null;
    }
    const fault = this.#options.fault();
    if (fault === null && this.#held.length === 0) {
      this.#emit(frame);
      onSent?.();
      return;
    }
    const { clock } = this.#options;
    // Never before what was sent earlier: it is a stream.
    this.#lastDueMs = Math.max(this.#lastDueMs, clock.now() + (fault?.delayMs() ?? 0));
    this.#held.push({ bytes: frame, dueMs: this.#lastDueMs, sliceBytes: fault?.sliceBytes ?? null, onSent });
    this.#heldBytes += frame.length;
    this.#pump();
  }

  /** Runs `work`; what it sends goes out together. */
  batch(work: () => void): void {
    this.#batchDepth++;
    try {
      work();
    } finally {
      this.#batchDepth--;
      if (this.#batchDepth === 0) this.flush();
    }
  }

  /** Hands over what was sent in this turn, without waiting for its end. */
  flush(): void {
    if (this.#batch.length === 0 || this.#shut) return;
    let bytes = this.#batch.length === 1 ? (this.#batch[0] as Buffer) : Buffer.concat(this.#batch);
    this.#batch = [];
    this.#batchBytes = 0;
    const drop = this.#dropAfter;
    if (drop !== null && bytes.length >= drop.bytes) bytes = bytes.subarray(0, drop.bytes);
    if (drop !== null) drop.bytes -= bytes.length;
    if (this.#socket.writable) {
      // No 'drain' follows where the system takes it all at once.
      if (this.#wasFull) this.#socket.write(bytes, () => this.#options.clock.defer(() => this.#noticeRoom()));
      else this.#socket.write(bytes);
      this.#options.onBytes(bytes.length);
    }
    if (drop?.bytes === 0) this.#drop(drop.manner, bytes.length > 0);
  }

  /** Gives the next message another length than it has. */
  corruptNext(length: number): void {
    this.#corruptLength = length >>> 0;
  }

  /** Ends the connection when that many bytes more have been sent: 0 at once. */
  dropAfter(bytes: number, manner: DropManner): void {
    this.#dropAfter = { bytes, manner };
    if (bytes === 0) this.#drop(manner, false);
  }

  /** Sends nothing from now on, and says nothing of it. */
  shut(): void {
    this.#shut = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#held = [];
    this.#heldBytes = 0;
    this.#batch = [];
    this.#batchBytes = 0;
  }

  #pump(): void {
    while (!this.#shut && !this.#slicing) {
      const [first] = this.#held;
      if (first === undefined) break;
      const waitMs = first.dueMs - this.#options.clock.now();
      if (waitMs > 0) {
        this.#timer ??= this.#options.clock.setTimer(() => {
          this.#timer = null;
          this.#pump();
        }, waitMs);
        return;
      }
      const { sliceBytes } = first;
      const piece = sliceBytes === null ? first.bytes : first.bytes.subarray(0, sliceBytes);
      first.bytes = first.bytes.subarray(piece.length);
      this.#heldBytes -= piece.length;
      const isWhole = first.bytes.length === 0;
      if (isWhole) this.#held.shift();
      this.#emit(piece);
      if (isWhole) first.onSent?.();
      if (sliceBytes === null) continue;
      // Two writes in one turn would be sent as one.
      this.#slicing = true;
      this.#options.clock.defer(() => {
        this.#slicing = false;
        this.#pump();
      });
    }
    this.#noticeRoom();
  }

  #emit(bytes: Buffer): void {
    this.#batch.push(bytes);
    this.#batchBytes += bytes.length;
    if (this.#batchDepth === 0) this.flush();
  }

  #drop(manner: DropManner, hasJustSent: boolean): void {
    this.shut();
    const socket = this.#socket;
    if (manner === 'close') socket.destroySoon();
    else if (!hasJustSent) socket.resetAndDestroy();
    // A reset overtakes what the other side has not read yet.
    else this.#options.clock.setTimer(() => socket.resetAndDestroy(), ARRIVAL_MS, { background: true });
  }

  #noticeRoom(): void {
    if (!this.#wasFull || this.isFull) return;
    this.#wasFull = false;
    this.#options.onRoom();
  }
}
