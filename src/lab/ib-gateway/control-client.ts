import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { GatewayCounts } from './census.js';
import { WRONG_TOKEN } from './control.js';
import { GatewayError } from './errors.js';
import type { Fault } from './faults.js';

/** Steers a gateway in another process. */
export interface ControlClient extends AsyncDisposable {
  counts(): Promise<GatewayCounts>;
  clearCounts(): Promise<void>;
  /** The address at which clients reach the gateway now. */
  info(): Promise<GatewayInfo>;
  /** Resolves when it shows, with a number to heal it by. */
  inject(fault: Fault): Promise<number>;
  /** Ends a fault that lasts, or all; gives how many there were. */
  heal(id?: number): Promise<number>;
  close(): Promise<void>;
}

export interface GatewayInfo {
  readonly host: string;
  readonly port: number;
  readonly serverVersion: number;
}

/**
 * Connects to the control socket of a gateway. Rejects with a GatewayError where nobody listens there, and where the
 * token is wrong.
 */
export async function connectControl({
  token,
  ...place
}: {
  readonly host: string;
  readonly port: number;
  /** As `poolctl ib gateway` prints it, or as `--control-token` sets it. */
  readonly token: string;
}): Promise<ControlClient> {
  const socket = connect(place);
  try {
    await once(socket, 'connect');
  } catch (cause) {
    const message = `no control socket at ${place.host}:${place.port}`;
    const hint = 'start the gateway with poolctl ib gateway --control-port';
    throw new GatewayError('ERR_IB_GATEWAY_CONTROL', message, { cause, hint });
  }
  const client = new LineClient(socket);
  await client.authorize(token, `${place.host}:${place.port}`);
  return client;
}

interface Asked {
  resolve(answer: Readonly<Record<string, unknown>>): void;
  reject(error: Error): void;
}

class LineClient implements ControlClient {
  readonly #socket: Socket;
  /** In the order in which they were asked, which is that of the answers. */
  readonly #asked: Asked[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const { reject } of this.#asked.splice(0)) reject(gone());
    });
    // The reader of lines reports once more what breaks the socket. The answers are rejected when it closes.
    const lines = createInterface({ input: socket }).on('error', () => {});
    lines.on('line', (line) => {
      const asked = this.#asked.shift();
      const answer = JSON.parse(line) as Readonly<Record<string, unknown>>;
      if (answer.ok === true) asked?.resolve(answer);
      else asked?.reject(new GatewayError('ERR_IB_GATEWAY_CONTROL', String(answer.error)));
    });
  }

  async authorize(token: string, place: string): Promise<void> {
    try {
      await this.#ask({ do: 'auth', token });
    } catch (error) {
      await this.close();
      if (!(error instanceof GatewayError) || error.message !== WRONG_TOKEN) throw error;
      throw new GatewayError('ERR_IB_GATEWAY_CONTROL', `the control socket at ${place} refuses the token`, {
        hint: 'use the token that the gateway printed at its start, or start it with --control-token',
      });
    }
  }

  async counts(): Promise<GatewayCounts> {
    return (await this.#ask({ do: 'counts' })).counts as GatewayCounts;
  }

  async clearCounts(): Promise<void> {
    await this.#ask({ do: 'clear' });
  }

  async info(): Promise<GatewayInfo> {
    const { host, port, serverVersion } = await this.#ask({ do: 'info' });
    return { host: String(host), port: Number(port), serverVersion: Number(serverVersion) };
  }

  async inject(fault: Fault): Promise<number> {
    return Number((await this.#ask({ do: 'inject', fault })).id);
  }

  async heal(id?: number): Promise<number> {
    return Number((await this.#ask({ do: 'heal', ...(id !== undefined && { id }) })).healed);
  }

  async close(): Promise<void> {
    if (this.#socket.closed) return;
    const closed = once(this.#socket, 'close');
    this.#socket.destroy();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ask(command: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(gone());
      this.#asked.push({ resolve, reject });
      this.#socket.write(`${JSON.stringify(command)}\n`);
    });
  }
}

function gone(): GatewayError {
  return new GatewayError('ERR_IB_GATEWAY_CONTROL', 'the gateway has ended', {
    hint: 'its own output says why',
  });
}
