import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { type Clock, systemClock } from '../../base/clock.js';
import { asError } from '../../base/promises.js';
import { isSameSecret, newToken } from '../../base/token.js';
import { ValueError } from '../../base/units.js';
import { GatewayError } from './errors.js';
import { toFault } from './faults.js';
import type { Gateway } from './gateway.js';

/**
 * The protocol of the control socket: lines of JSON, each answered by one, in order. The first must be
 * `{"do":"auth","token":"..."}`, since any user of the machine reaches the port. After that:
 * `{"do":"counts"}` `{"do":"clear"}` `{"do":"info"}` `{"do":"inject","fault":{"kind":"drop"}}` `{"do":"heal","id":1}`;
 * without an id all faults are healed. An answer is `{"ok":true,...}` or `{"ok":false,"error":"..."}`.
 */
export interface Control extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** The address and the token, which clients need. */
  readonly token: string;
  close(): Promise<void>;
}

/** How long a client has to say the token, and how much it may send until then. */
const AUTH_MS = 5000;
const MOST_AUTH_BYTES = 1000;
/** Clients that have not said it yet. One more, and the oldest of them is cut off. */
const MOST_STRANGERS = 16;
/** A line is a fault at most. */
const MOST_LINE_BYTES = 64_000;
const MOST_CONNECTIONS = 64;

/**
 * Lets other programs steer a gateway and read its counts, if they know the token (default: a new random one). Rejects
 * with a GatewayError where the port is taken.
 */
export async function startControl(
  gateway: Gateway,
  {
    token = newToken(),
    clock = systemClock,
    ...place
  }: { readonly host: string; readonly port: number; readonly token?: string; readonly clock?: Clock },
): Promise<Control> {
  const sockets = new Set<Socket>();
  const strangers = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    if (sockets.size >= MOST_CONNECTIONS) {
      socket.on('error', () => {}).destroy();
      return;
    }
    const [oldest] = strangers;
    if (strangers.size >= MOST_STRANGERS) oldest?.destroy();
    const late = clock.setTimer(() => socket.destroy(), AUTH_MS, { background: true });
    sockets.add(socket);
    strangers.add(socket);
    const isKnown = (): void => {
      late.cancel();
      strangers.delete(socket);
    };
    socket.on('close', () => {
      isKnown();
      sockets.delete(socket);
    });
    serve(socket, gateway, token, isKnown);
  });
  try {
    const listening = once(server, 'listening');
    server.listen({ ...place, exclusive: true });
    await listening;
  } catch (error) {
    throw GatewayError.listening(error, place.host, place.port);
  }
  server.on('error', () => {});
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { host: place.host, port, token, close, [Symbol.asyncDispose]: close };
}

/** One connection. While an answer is under way nothing more is read from it, so nothing piles up. */
function serve(socket: Socket, gateway: Gateway, token: string, isKnown: () => void): void {
  const decoder = new StringDecoder('utf8');
  let isAuthorized = false;
  let received = '';
  let busy = false;
  const work = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    socket.pause();
    for (let end = received.indexOf('\n'); end >= 0 && !socket.destroyed; end = received.indexOf('\n')) {
      const line = received.slice(0, end).trim();
      received = received.slice(end + 1);
      if (line === '') continue;
      const command = parsed(line);
      // Input that is not JSON is another protocol, such as a browser's, and no mistake of our own client.
      if (command === null) {
        socket.destroy();
        return;
      }
      if (!isAuthorized && !isAuth(command, token)) {
        // The same words for each wrong way, and nothing about the gateway. AUTH_MS ends the rest.
        received = '';
        socket.end(`${JSON.stringify({ ok: false, error: WRONG_TOKEN })}\n`);
        return;
      }
      if (!isAuthorized) isKnown();
      const answer = isAuthorized ? await answerTo(command, gateway) : { ok: true };
      isAuthorized = true;
      if (!socket.write(`${JSON.stringify(answer)}\n`)) await Promise.race([once(socket, 'drain'), gone]);
    }
    if (received.length > (isAuthorized ? MOST_LINE_BYTES : MOST_AUTH_BYTES)) socket.destroy();
    busy = false;
    socket.resume();
  };
  const gone = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  // A failure of a control connection does not concern the gateway.
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    received += decoder.write(bytes);
    void work();
  });
}

/** Clients recognize it by this word. */
export const WRONG_TOKEN = 'token';

function isAuth({ do: what, token }: Readonly<Record<string, unknown>>, wanted: string): boolean {
  return what === 'auth' && typeof token === 'string' && isSameSecret(token, wanted);
}

function parsed(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}

type Answer = { readonly ok: boolean } & Readonly<Record<string, unknown>>;

async function answerTo(command: Readonly<Record<string, unknown>>, gateway: Gateway): Promise<Answer> {
  try {
    switch (command.do) {
      case 'counts':
        return { ok: true, counts: gateway.counts() };
      case 'clear':
        gateway.clearCounts();
        return { ok: true };
      case 'info': {
        const { host, port, serverVersion } = gateway;
        return { ok: true, host, port, serverVersion };
      }
      case 'inject':
        return { ok: true, id: await gateway.inject(toFault(command.fault)) };
      case 'heal': {
        const { id } = command;
        if (id !== undefined && typeof id !== 'number') throw new ValueError('id is not a number');
        return { ok: true, healed: await gateway.heal(id) };
      }
      default:
        throw new ValueError("there is no such command; 'do' is counts, clear, info, inject or heal");
    }
  } catch (error) {
    return { ok: false, error: asError(error).message };
  }
}
