import { fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Deque } from '../../base/deque.js';
import { FeedError } from '../../ws/errors.js';
import type { FeedServerOptions } from './feed-server.js';
import { type FeedHandle, type FeedOrder, handleOf } from './orders.js';
import type { VenueName } from './venues/venue-names.js';
import type { VenueRules } from './venues/venue-wire.js';

interface Awaited {
  resolve(value: Message): void;
  reject(error: FeedError): void;
}

interface Message {
  readonly url?: string;
  readonly reply?: unknown;
  readonly error?: string;
}

/** A feed in the protocol of jsonFeed, or a simulated venue. */
export type SpawnedFeedOptions =
  | Omit<FeedServerOptions, 'clock'>
  | {
      readonly venue: VenueName;
      readonly eventsPerSecond: number;
      /** Replace the venue's own. Infinity does not pass between processes: leave it out. */
      readonly rules?: Partial<VenueRules>;
    };

/** Starts a feed in a process of its own, so that its work is not counted as ours. It ends when this process does. */
export async function spawnFeed(options: SpawnedFeedOptions): Promise<FeedHandle> {
  const child = fork(fileURLToPath(new URL('./feed-process.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
    // Ctrl-C is for us: we still want to ask it what it has seen.
    detached: true,
  });
  const pipe = child.stdio[4] as Duplex;
  const awaited = new Deque<Awaited>();
  let isOver = false;
  const over = new Promise<void>((resolve) => {
    const ended = (): void => {
      isOver = true;
      pipe.destroy();
      const error = new FeedError('ERR_FEED_LOST', 'the process of the feed has ended');
      for (let each = awaited.shift(); each !== undefined; each = awaited.shift()) each.reject(error);
      resolve();
    };
    // Not `close`, which waits for the pipe.
    child.once('exit', ended).once('error', ended);
  });
  pipe.on('error', () => {});
  createInterface({ input: pipe }).on('line', (line) => {
    const message = JSON.parse(line) as Message;
    const next = awaited.shift();
    if (message.error === undefined) next?.resolve(message);
    else next?.reject(new FeedError('ERR_FEED_CONNECT', `the feed could not do it: ${message.error}`));
  });
  const ask = (value: object): Promise<Message> =>
    new Promise((resolve, reject) => {
      if (isOver) {
        reject(new FeedError('ERR_FEED_LOST', 'the process of the feed has ended'));
        return;
      }
      awaited.push({ resolve, reject });
      pipe.write(`${JSON.stringify(value)}\n`);
    });
  const close = async (): Promise<void> => {
    pipe.end();
    if (child.connected) child.disconnect();
    await over;
  };
  try {
    const { url = '' } = await ask(options);
    return handleOf(url, async (order: FeedOrder) => (await ask(order)).reply, close);
  } catch (error) {
    pipe.destroy();
    throw error;
  }
}
