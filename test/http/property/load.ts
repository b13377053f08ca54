import type { ServerResponse } from 'node:http';
import { type Random, seededRandom } from '../../../src/base/random.js';
import type { createHttpPool, HttpPool } from '../../../src/http/index.js';
import { eventually } from '../../helpers/eventually.js';
import type { Opened, Peer } from '../peers.js';

export const METHODS = ['GET', 'PUT', 'POST'] as const;

/** What a server may do with a request; the name is in the path, so that the server needs no memory. */
const FAULTS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  ok: (response) => response.end('ok'),
  slow: (response) => void setTimeout(() => response.end('ok'), 15),
  big: (response) => response.end(Buffer.alloc(300_000)),
  busy: (response) => response.writeHead(503).end('no'),
  error: (response) => response.writeHead(500, { connection: 'close' }).end('no'),
  refused: (response) => response.writeHead(401).end('no'),
  cut: (response) => response.socket?.destroy(),
  reset: (response) => response.socket?.resetAndDestroy(),
  half: (response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half', () => response.socket?.destroy());
  },
  last: (response) => response.setHeader('connection', 'close').end('ok'),
};

interface Tally {
  readonly sent: Map<string, number>;
  readonly responses: number;
  readonly errors: number;
  readonly aborted: number;
}

/** Requests at random, some aborted, some with bodies that are not read. Each has a path of its own. */
async function load(
  pool: HttpPool,
  urls: readonly string[],
  random: Random,
  requests: number,
): Promise<Tally> {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  let [responses, errors, aborted] = [0, 0, 0];
  const sent = new Map<string, number>();
  const one = async (at: number): Promise<void> => {
    const method = pick(METHODS);
    // A healthy half, or all circuits would be open.
    const fault = random() < 0.5 ? 'ok' : pick(Object.keys(FAULTS));
    const path = `/${at}/${fault}`;
    const abort = new AbortController();
    const giveUp = random() < 0.1;
    const read = random() < 0.9;
    if (giveUp) setTimeout(() => abort.abort(), random() * 10);
    try {
      const response = await pool.request(`${pick(urls)}${path}`, {
        method,
        body: method === 'GET' ? null : 'x'.repeat(Math.floor(random() * 2000)),
        signal: abort.signal,
      });
      sent.set(`${method} ${path}`, response.timing.attempts);
      if (read) await response.body.bytes();
      else response.body.on('error', () => {}).destroy();
      responses++;
    } catch (error) {
      if (abort.signal.aborted) aborted++;
      else if (String((error as { code?: string }).code).startsWith('ERR_HTTP_')) errors++;
      else throw error;
    }
  };
  let next = 0;
  await Promise.all(
    Array.from({ length: 24 }, async () => {
      while (next < requests) await one(next++);
    }),
  );
  return { sent, responses, errors, aborted };
}

export function seenBy(peers: readonly Peer[]): ReadonlyMap<string, number> {
  return new Map(peers.flatMap(({ seen }) => [...seen]));
}

const MOST = 8;
const REQUESTS = 300;

/**
 * Random requests with random faults on servers of this machine, and what does not add up in the end: the counts of
 * the pool, of its callers, and of the servers. Empty if all does.
 */
export async function problemsUnderLoad(
  createPool: typeof createHttpPool,
  opened: Opened,
  seed: number,
): Promise<string[]> {
  const problems: string[] = [];
  const must = (holds: boolean, problem: string): void => {
    if (!holds && !problems.includes(problem)) problems.push(problem);
  };
  const serve = () =>
    opened.http((request, response) => {
      request.resume().on('end', () => FAULTS[request.url?.split('/')[2] ?? '']?.(response));
    });
  const peers = await Promise.all([serve(), serve(), serve()]);
  const pool = opened.add(
    createPool({
      maxConnections: MOST,
      maxKeepalive: 4,
      breaker: false,
      retry: { total: 2, backoffFactor: 0.005, budgetShare: 1 },
      timeouts: { poolMs: 20_000, readMs: 20_000 },
    }),
  );
  const look = (): void => {
    const { live, idle, inUse, waiting } = pool.snapshot();
    must(live <= MOST, 'more connections than are allowed');
    must(idle + inUse <= live, 'more connections idle and in use than are open');
    must(waiting >= 0 && idle >= 0 && inUse >= 0, 'a gauge below 0');
  };
  pool.on('open', look);
  pool.on('close', look);
  const urls = peers.map(({ url }) => url);
  const tally = await load(pool, urls, seededRandom(seed), REQUESTS);
  await eventually(() => pool.snapshot().inUse === 0 && pool.snapshot().holders.length === 0).catch(() =>
    must(false, 'a connection is in use for ever'),
  );
  const { http, counters, waiting, idle, live, holders } = pool.snapshot();
  const seen = seenBy(peers);
  const arrived = [...seen.values()].reduce((total, times) => total + times, 0);
  must(![...seen].some(([what, times]) => what.startsWith('POST') && times > 1), 'a POST was sent twice');
  must(tally.responses + tally.errors + tally.aborted === REQUESTS, 'a call without an end');
  must(http.requests === REQUESTS, 'requests, against the calls');
  must(http.succeeded + http.failed + http.aborted === REQUESTS, 'ends of requests, against the calls');
  // A request that was aborted, or met a closed connection, may have been sent and not have arrived.
  const lost = http.retries.stale + http.retries.lost + http.aborted + http.failed;
  must(http.sent >= arrived && http.sent - arrived <= lost, 'attempts, against what arrived');
  for (const [what, attempts] of tally.sent)
    must((seen.get(what) ?? 0) <= attempts, 'attempts of a response, against what arrived');
  must(counters.acquired === counters.released, 'acquired, against released');
  must(counters.created === (counters.destroyed ?? 0) + live, 'created, against destroyed and open');
  must(waiting === 0 && holders.length === 0 && live === idle, 'what is left in the end');
  must(tally.errors > 0 && http.retries.status > 0, 'the faults of the servers have shown');
  must(
    Math.max(...peers.map(({ peak }) => peak)) <= MOST,
    'more connections than are allowed, by the server',
  );
  return problems;
}
