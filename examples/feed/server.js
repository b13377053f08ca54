// A market data feed on loopback, in the JSON that poolctl/ws speaks by default.
import { WebSocketServer } from 'ws';

/** Starts a feed on a free port. `hangUp()` drops all connections, as a bad line does. */
export async function startFeed() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  const wanted = new Map();
  server.on('connection', (socket) => {
    wanted.set(socket, new Set());
    socket.on('close', () => wanted.delete(socket));
    socket.on('message', (data) => {
      const { op, id, symbols } = JSON.parse(data.toString());
      for (const symbol of symbols) {
        if (op === 'subscribe') wanted.get(socket)?.add(symbol);
        else wanted.get(socket)?.delete(symbol);
      }
      socket.send(JSON.stringify({ id, ok: true }));
    });
  });
  let seq = 0;
  const timer = setInterval(() => {
    seq += 1;
    for (const [socket, symbols] of wanted) {
      for (const symbol of symbols) socket.send(JSON.stringify({ symbol, seq, price: 100 + (seq % 7) }));
    }
  }, 20);
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `ws://127.0.0.1:${server.address().port}`,
    hangUp() {
      for (const socket of wanted.keys()) socket.terminate();
    },
    close() {
      clearInterval(timer);
      for (const socket of server.clients) socket.terminate();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
