import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.js';
import { GatewayError } from './errors.js';

/** A port that was ours is soon ours again. */
const RETRY_MS = 50;

/** The entrance for clients: a listening port that can be shut, opened again, and moved. */
export class Door {
  readonly host: string;
  #port: number;
  #server: Server | null = null;
  #opening: Promise<void> | null = null;
  #retry: Timer | null = null;
  /** Why it is shut; open while there is no reason. */
  readonly #reasons = new Set<string>();
  readonly #clock: Clock;
  readonly #onSocket: (socket: Socket) => void;

  constructor(
    { host, port }: { readonly host: string; readonly port: number },
    clock: Clock,
    onSocket: (socket: Socket) => void,
  ) {
    this.host = host;
    this.#port = port;
    this.#clock = clock;
    this.#onSocket = onSocket;
  }

  /** The port that clients reach it at, or will again. */
  get port(): number {
    return this.#port;
  }

  /** Rejects with a GatewayError where the port cannot be had. */
  async open(): Promise<void> {
    const server = createServer({ noDelay: true, pauseOnConnect: true }, this.#onSocket);
    try {
      const listening = once(server, 'listening');
      server.listen({ host: this.host, port: this.#port, exclusive: true });
      await listening;
    } catch (error) {
      throw GatewayError.listening(error, this.host, this.#port);
    }
    // Out of file descriptors, say: the connection is lost, the gateway is not.
    server.on('error', () => {});
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    if (this.#reasons.size > 0) this.#shutNow();
  }

  /** Refuses connections for a reason; those that are there stay. */
  shut(reason: string): void {
    this.#reasons.add(reason);
    this.#shutNow();
  }

  /** Takes a reason back; resolves when it is open again, or another reason keeps it shut. */
  async reopen(reason: string): Promise<void> {
    if (!this.#reasons.delete(reason) || this.#reasons.size > 0 || this.#server !== null) return;
    this.#opening ??= this.#openAgain().finally(() => {
      this.#opening = null;
    });
    await this.#opening;
  }

  /** From now on at another port; 0 takes any. Rejects with a GatewayError, and stays where it is. */
  async move(port: number): Promise<void> {
    const before = { port: this.#port, server: this.#server };
    this.#port = port;
    this.#server = null;
    try {
      await this.open();
    } catch (error) {
      this.#port = before.port;
      this.#server = before.server;
      throw error;
    }
    before.server?.close();
  }

  close(): void {
    this.shut('closed');
    this.#retry?.cancel();
  }

  async #openAgain(): Promise<void> {
    while (this.#reasons.size === 0) {
      try {
        return await this.open();
      } catch {
        await new Promise<void>((resolve) => {
          this.#retry = this.#clock.setTimer(resolve, RETRY_MS);
        });
      }
    }
  }

  #shutNow(): void {
    this.#server?.close();
    this.#server = null;
  }
}
