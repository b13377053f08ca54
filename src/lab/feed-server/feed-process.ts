import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { startFeedServer } from './feed-server.js';
import type { FeedOrder } from './orders.js';
import { carryOut, type OrderedFeed } from './orders.js';
import type { SpawnedFeedOptions } from './spawn-feed.js';
import { VENUES } from './venues/venue-names.js';
import { startVenueServer } from './venues/venue-server.js';

// A feed in a process of its own, see spawnFeed. Orders come and replies go in lines of JSON over the pipe at the
// file descriptor 4; the first line has the options. The process ends when the pipe does, however its parent ended.
const pipe = new Socket({ fd: 4, readable: true, writable: true });
const lines = createInterface({ input: pipe });
const tell = (value: unknown) => void pipe.write(`${JSON.stringify(value)}\n`);
let started: Promise<{ url: string; feed: OrderedFeed; close(): Promise<void> }> | null = null;
lines.on('line', async (line) => {
  try {
    if (started === null) {
      started = start(JSON.parse(line) as SpawnedFeedOptions);
      tell({ url: (await started).url });
    } else tell({ reply: carryOut((await started).feed, JSON.parse(line) as FeedOrder) });
  } catch (error) {
    tell({ error: error instanceof Error ? error.message : String(error) });
  }
});
pipe.on('error', () => {});
pipe.on('close', async () => (await started)?.close());

async function start(
  options: SpawnedFeedOptions,
): Promise<{ url: string; feed: OrderedFeed; close(): Promise<void> }> {
  if (!('venue' in options)) return startFeedServer(options);
  const { wire, path } = VENUES[options.venue];
  const { rules = {}, eventsPerSecond } = options;
  const { origin, market, close } = await startVenueServer(wire(rules), { eventsPerSecond });
  return { url: `${origin}${path}`, feed: market, close };
}
