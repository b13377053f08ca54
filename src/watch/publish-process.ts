import { systemClock } from '../base/clock.js';
import { asError } from '../base/promises.js';
import { parseToken } from '../base/token.js';
import type { SocketOwner } from './directory.js';
import { Heartbeat } from './heartbeat.js';
import { thisProcess } from './process.js';
import { processWatcher } from './process-watcher.js';
import { PublishError, type Published, publish } from './publish.js';
import { RecordingTap } from './record/tap.js';

export interface PublishProcessOptions {
  /** null: that of its package, or its script. */
  readonly name: string | null;
  /** null: a socket in the user's own folder. */
  readonly port: {
    readonly host: string;
    readonly port: number;
    readonly further?: number;
    /** Default: POOLCTL_TOKEN, else a random one. */
    readonly token?: string;
  } | null;
}

/** Publishes what is watched in this process, or thread; once, however often it is asked to. */
export function publishProcess({ name, port }: PublishProcessOptions): Promise<Published> {
  const watcher = processWatcher();
  watcher.published ??= start().catch((error: unknown) => {
    watcher.published = null;
    throw error;
  });
  return watcher.published;

  async function start(): Promise<Published> {
    const self = thisProcess();
    const heartbeat = new Heartbeat(systemClock, self);
    const published = await publish({
      app: self.app(name),
      at:
        port === null
          ? { kind: 'socket', owner: self.owner, pid: self.pid, thread: self.thread }
          : { kind: 'port', owner: self.owner, token: tokenIn(self.env), ...port },
      read: () => ({ ...watcher.read(), process: heartbeat.read() }),
      record() {
        const { name: app, pid, node } = self.app(name);
        const about = { app, pid, node: node ?? '', startedAtMs: systemClock.wallTime() };
        return new RecordingTap(watcher, systemClock, about);
      },
      clock: systemClock,
    }).catch((error: unknown) => {
      heartbeat.close();
      throw error;
    });
    self.onExit(() => published.close());
    return {
      ...published,
      close() {
        watcher.published = null;
        heartbeat.close();
        published.close();
      },
    };
  }
}

function tokenIn({ POOLCTL_TOKEN: token }: SocketOwner['env']): string | null {
  try {
    return token ? parseToken(token) : null;
  } catch (error) {
    throw new PublishError(`cannot publish the pools: POOLCTL_TOKEN: ${asError(error).message}`, error);
  }
}
