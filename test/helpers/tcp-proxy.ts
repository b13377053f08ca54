import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What stands between a client and its server, to have it break as networks do. */
export interface TcpProxy {
  readonly port: number;
  /** Cuts the oldest connection; resolves when both of its ends are closed. */
  cutOldest(): Promise<void>;
  /** Refuses connections, and cuts those that are there; and the opposite. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  /** Resolves when no connection is open. */
  allClosed(): Promise<void>;
  /** From now on nothing is passed on, and nothing is closed: as where a cable was pulled. */
  fallSilent(): void;
  /** From now on what the server says comes one byte at a time. */
  dribble(): void;
  close(): Promise<void>;
}

type Pair = readonly [client: Socket, upstream: Socket];

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let silent = false;
  let slow = false;
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    const pair: Pair = [client, connect(targetPort, '127.0.0.1')];
    const [, upstream] = pair;
    pairs.add(pair);
    client.on('data', (data) => void upstream.write(data));
    upstream.on('data', (data) => void (slow ? writeByByte(client, data) : client.write(data)));
    for (const end of pair) end.on('error', () => {}).on('close', () => void cut(pair));
    if (silent) mute(pair);
    else client.resume();
  });
  const cut = async (pair: Pair): Promise<void> => {
    pairs.delete(pair);
    const closed = Promise.all(pair.map((end) => (end.closed ? null : once(end, 'close'))));
    for (const end of pair) end.destroy();
    await closed;
  };
  const refuse = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    await Promise.all([...pairs].map(cut));
    await closed;
  };
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    refuse,
    accept: () => listen(port),
    async cutOldest() {
      const [oldest] = pairs;
      if (oldest !== undefined) await cut(oldest);
    },
    async allClosed() {
      await Promise.all([...pairs].map(([client]) => once(client, 'close')));
    },
    fallSilent() {
      silent = true;
      for (const pair of pairs) mute(pair);
    },
    dribble() {
      slow = true;
    },
    async close() {
      if (server.listening) await refuse();
    },
  };
}

/** What is not read is not passed on, nor is it noticed that the other side has hung up. */
function mute(pair: Pair): void {
  for (const end of pair) end.pause();
}

const written = new WeakMap<Socket, Promise<void>>();

/** Each byte in a packet and a turn of the event loop of its own, behind those that are still to come. */
function writeByByte(socket: Socket, data: Buffer): Promise<void> {
  const before = written.get(socket) ?? Promise.resolve();
  const done = before.then(async () => {
    for (const byte of data) {
      socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  written.set(socket, done);
  return done;
}
