import { hostname } from 'node:os';
import { publish } from '../src/watch/publish.js';
import { Watcher } from '../src/watch/watcher.js';
import type { LoadContext } from './loadtest-options.js';

/**
 * Runs the work. With --publish, its pools are published for `poolctl top`: `work` passes each pool to its argument.
 */
export async function withPublished<T>(
  { options, io, log }: LoadContext,
  work: (opened: (pool: object) => void) => Promise<T>,
): Promise<T> {
  if (!options.publish) return work(() => {});
  const { env, pid, host, user, clock } = io;
  const watcher = new Watcher(clock);
  const published = await publish({
    app: {
      name: 'poolctl loadtest',
      pid,
      host: hostname(),
      node: host.nodeVersion,
      startedAtMs: clock.wallTime(),
    },
    at: {
      kind: 'socket',
      owner: {
        platform: host.platform,
        env,
        uid: user.uid,
        userName: user.name,
        tempFolder: user.tempFolder,
      },
      pid,
      thread: 0,
    },
    read: () => watcher.read(),
    clock,
  });
  log(`published at ${published.address}`);
  try {
    return await work((pool) => void watcher.add(pool));
  } finally {
    published.close();
  }
}
