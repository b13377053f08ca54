import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileFault } from '../src/base/file-fault.js';
import { formatCount, formatMs } from '../src/base/units.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import type { FeedHandle } from '../src/lab/feed-server/orders.js';
import { spawnFeed } from '../src/lab/feed-server/spawn-feed.js';
import { type FeedLoadOptions, type FeedLoadProgress, runFeedLoad } from '../src/loadtest/feed/feed-load.js';
import { hasPassed } from '../src/loadtest/verdict.js';
import { isFormatOf, rendererOf } from '../src/report/registry.js';
import type { SubscriptionPool } from '../src/ws/subscription-pool.js';
import type { LoadContext } from './loadtest-options.js';
import { withPublished } from './loadtest-publish.js';
import { surroundingsOf } from './loadtest-surroundings.js';
import { readCa, refuseRemote } from './loadtest-target.js';
import type { Warmup } from './loadtest-values.js';

const DEFAULT_DURATION_MS = 5000;

/** A load test of a feed: by its URL, or null for one of poolctl's own in another process. */
export async function feedLoad(context: LoadContext, url: string | null): Promise<ExitCode> {
  const { options } = context;
  const symbols = await symbolsOf(context);
  if (url !== null) {
    if (!options.allowRemote) await refuseRemote(new URL(url).hostname.replace(/^\[|\]$/g, ''));
    return load(context, symbols, { url, server: null });
  }
  await using feed = await spawnFeed({
    ticksPerSecond: options.tickRate,
    // One more than the pool sends, for pings.
    messagesPerSecond: Math.ceil(options.batchRate) + 3,
    maxSymbols: options.maxSymbolsPerWebsocket,
  });
  const title = `a feed of poolctl's own in another process, ${formatCount(options.tickRate)} ticks/s`;
  // Awaited here: the feed ends with this function.
  return await load(context, symbols, { url: feed.url, server: feed, title });
}

async function load(
  context: LoadContext,
  symbols: readonly string[],
  target: Pick<FeedLoadOptions, 'url' | 'title'> & { readonly server: FeedHandle | null },
): Promise<ExitCode> {
  const { options, render } = context;
  const ca = await readCa(context);
  const format = isFormatOf('feedLoad', options.format) ? options.format : 'text';
  // Loaded before the run, which may use up the file descriptors.
  const report = await rendererOf('feedLoad', format);
  const result = await withPublished(context, (opened) =>
    runFeedLoad({
      ...target,
      symbols,
      maxSymbolsPerConnection: options.maxSymbolsPerWebsocket,
      maxConnections: options.maxWebsocketConnections,
      placement: options.placement,
      batchesPerSecond: Math.floor(options.batchRate),
      headers: Object.fromEntries(options.header),
      connectTimeoutMs: options.connectTimeout,
      ...(ca === null ? {} : { tls: { ca } }),
      durationMs: options.duration ?? DEFAULT_DURATION_MS,
      warmupMs: warmupMsOf(options.warmup),
      refreshMs: options.refresh,
      stampField: options.stamp,
      thresholds: options.threshold.flatMap((one) => (one.kind === 'feed' ? [one.threshold] : [])),
      ...surroundingsOf(context),
      onOpen(pool) {
        opened(pool);
        if (options.verbose) logEvents(pool, context.log);
      },
      onProgress: (progress) => context.progress.update(shown(progress)),
    }),
  );
  await context.write(report(result, render));
  return hasPassed(result, options) ? ExitCode.Ok : ExitCode.Failed;
}

/** The life of its connections. */
function logEvents(pool: SubscriptionPool, log: (line: string) => void): void {
  pool.on('open', ({ connectionId, tookMs }) =>
    log(`connection ${connectionId} is open after ${formatMs(tookMs)}`),
  );
  pool.on('connectFailed', ({ connectionId, error }) => log(`connection ${connectionId}: ${error.message}`));
  pool.on('lost', ({ connectionId, cause, error, symbols }) =>
    log(`connection ${connectionId} is lost (${cause}) with ${symbols} symbols: ${error.message}`),
  );
  pool.on('gap', ({ connectionId, symbols, fromMs, toMs }) =>
    log(
      `connection ${connectionId} has its ${symbols.length} symbols again, after ${formatMs(toMs - fromMs)}`,
    ),
  );
}

async function symbolsOf({ options, io }: LoadContext): Promise<readonly string[]> {
  const { symbol, symbolsFile, symbols } = options;
  const room = options.maxSymbolsPerWebsocket * options.maxWebsocketConnections;
  if (symbol.length === 0 && symbolsFile === null) {
    return Array.from({ length: symbols ?? room }, (_, at) => `SYM${String(at).padStart(5, '0')}`);
  }
  const named = symbolsFile === null ? symbol : await symbolsIn(symbolsFile, io.cwd);
  const wanted = [...new Set(named)];
  if (wanted.length > room) {
    throw new UsageError([
      {
        message: `${formatCount(wanted.length)} symbols do not fit on ${options.maxWebsocketConnections} connections of ${formatCount(options.maxSymbolsPerWebsocket)}`,
        hint: 'raise --max-websocket-connections or --max-symbols-per-websocket, if the venue allows it',
      },
    ]);
  }
  return wanted;
}

/** One to a line; empty lines, and those that begin with #, are passed over. */
async function symbolsIn(file: string, folder: string): Promise<readonly string[]> {
  const text = await readFile(resolve(folder, file), 'utf8').catch((cause: unknown) => {
    throw new UnavailableError(`cannot read ${JSON.stringify(file)}: ${fileFault(cause)}`, {
      code: 'ERR_SYMBOLS_FILE',
      cause,
    });
  });
  const symbols = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (symbols.length === 0)
    throw new UsageError([`--symbols-file: there is no symbol in ${JSON.stringify(file)}`]);
  return symbols;
}

function warmupMsOf(warmup: Warmup | null): number {
  return warmup !== null && 'durationMs' in warmup ? warmup.durationMs : 0;
}

const LABELS: Readonly<Record<FeedLoadProgress['phase'], string>> = {
  subscribing: 'subscribing',
  'warm-up': 'warming up',
  load: 'listening',
};

function shown({ phase, fraction, live, ticks }: FeedLoadProgress) {
  const note = phase === 'load' ? `${formatCount(ticks)} ticks` : `${formatCount(live)} symbols confirmed`;
  return { label: LABELS[phase], share: fraction, note };
}
