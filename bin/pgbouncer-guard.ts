import { asError } from '../src/base/promises.js';
import type { GuardOrder } from '../src/pgbouncer/guard-order.js';
import { saysNotPaused } from '../src/pgbouncer/pause.js';
import { consoleAt, consoleError } from '../src/sources/pgbouncer.js';
import type { ServerConnection } from '../src/sources/server-connection.js';

/**
 * The dead man's switch of `poolctl pgbouncer pause`: a process of its own, which resumes the pooler if the one that
 * paused it goes away without a word. Its channel closes then, however that process died.
 */
const TRY_FOR_MS = 60_000;
const AGAIN_MS = 300;
/** Not paused: the command to pause may still be on its way while its sender is dead already. */
const ROUNDS = 4;

process.title = 'poolctl: resumes PgBouncer';
// A signal that ends the other process, such as Ctrl-C in its terminal, must not end this one too.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

let released = false;
process.once('message', (order: GuardOrder) => void stand(order));

async function stand({ address, resume }: GuardOrder): Promise<void> {
  const server = consoleAt(address, process.env);
  process.on('message', () => {
    released = true;
    process.disconnect();
  });
  const channelClosed = new Promise<void>((done) => void process.once('disconnect', done));
  // In time: where all of max_client_conn is taken later, nobody else gets in.
  const problem = await server
    .use((ask) => ask('SHOW VERSION'), AbortSignal.timeout(TRY_FOR_MS))
    .then(
      () => null,
      (error: unknown) => consoleError(asError(error)).message,
    );
  if (process.connected) process.send?.({ problem });
  await channelClosed;
  if (!released) await resumeAtLast(server, resume);
  await server.close();
}

async function resumeAtLast(server: ServerConnection, resume: string): Promise<void> {
  const endMs = performance.now() + TRY_FOR_MS;
  for (let rounds = 0; rounds < ROUNDS && performance.now() < endMs; ) {
    try {
      await server.use((ask) => ask(resume), AbortSignal.timeout(TRY_FOR_MS));
      return;
    } catch (error) {
      // Any other answer, or none, may be another one soon.
      if (saysNotPaused(asError(error))) rounds++;
    }
    await new Promise((done) => void setTimeout(done, AGAIN_MS));
  }
}
