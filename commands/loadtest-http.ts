import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileFault } from '../src/base/file-fault.js';
import { percentDecoded } from '../src/base/percent.js';
import { formatMs } from '../src/base/units.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import type { HttpPool } from '../src/http/http-pool.js';
import type { HttpPoolOptions } from '../src/http/options.js';
import { runAutocannon } from '../src/loadtest/http/autocannon.js';
import {
  type HttpWork,
  httpWorkload,
  seeWhoIsThere,
  targetWords,
} from '../src/loadtest/http/http-workload.js';
import type { PoolSize } from '../src/loadtest/workloads/sqlite.js';
import type { LoadContext } from './loadtest-options.js';
import { httpPreset } from './loadtest-profiles.js';
import { type LoadSubject, readCa, refuseRemote } from './loadtest-target.js';

/** A load test over HTTP. The server is this machine's, unless --allow-remote was given. */
export async function httpTest(context: LoadContext, url: string): Promise<LoadSubject> {
  const { options, io } = context;
  const work = await workOf(context, url);
  if (!options.allowRemote) await refuseRemote(new URL(work.url).hostname.replace(/^\[|\]$/g, ''));
  const ca = await readCa(context);
  const size: PoolSize = {
    size: options.poolSize,
    maxOverflow: 0,
    timeoutMs: options.poolTimeout,
    recycleMs: null,
    prePing: false,
  };
  const pool = (of: PoolSize): HttpPoolOptions => ({
    name: 'loadtest',
    maxConnections: of.size,
    maxKeepalive: Math.min(options.maxKeepalive, of.size),
    keepaliveExpiryMs: options.keepaliveExpiry,
    timeouts: { poolMs: of.timeoutMs, connectMs: options.connectTimeout, readMs: options.readTimeout },
    retry: options.retries === 0 ? false : { total: options.retries },
    ...(options.breaker ? {} : { breaker: false }),
    http2: options.http2 ? 'auto' : 'off',
    ...(ca === null ? {} : { tls: { ca } }),
  });
  const profile = httpPreset(options.profile).name;
  return {
    pool: size,
    workload: (of, unpooled, opened) =>
      httpWorkload({
        ...{ work, pool: pool(of), profile, unpooled, clock: io.clock },
        onOpen(made) {
          opened(made);
          if (options.verbose) logEvents(made, context.log);
        },
      }),
    ...(options.engine === 'autocannon' && {
      async run({ warmup = null, ...load }) {
        // It would connect again and again, and has no words for what is wrong.
        await seeWhoIsThere(work, pool(size), io.interrupts.stop);
        return runAutocannon({
          ...load,
          work,
          target: targetWords(work),
          connections: options.numWorkers,
          timeoutMs: options.readTimeout ?? LONGEST_MS,
          warmupMs: warmup === null ? null : (warmup.durationMs ?? 1000),
        });
      },
    }),
  };
}

/** The life of its connections, and what it does about failures. */
function logEvents(pool: HttpPool, log: (line: string) => void): void {
  pool.on('open', ({ connectionId, origin, protocol, tookMs }) =>
    log(`connection ${connectionId} to ${origin} is open (${protocol}) after ${formatMs(tookMs)}`),
  );
  pool.on('connectFailed', ({ error }) => log(`not connected: ${error.message}`));
  pool.on('close', ({ connectionId, reason, requests }) =>
    log(`connection ${connectionId} is closed (${reason}) after ${requests} requests`),
  );
  pool.on('retry', ({ method, cause, attempt, waitMs }) =>
    log(`attempt ${attempt} of ${method} failed (${cause}); the next in ${formatMs(waitMs)}`),
  );
  pool.on('breaker', ({ origin, from, to }) => log(`the circuit of ${origin} was ${from} and is ${to}`));
}

/** The longest time that autocannon's timer takes. */
const LONGEST_MS = 86_400_000;

async function workOf({ options, io }: LoadContext, url: string): Promise<HttpWork> {
  const target = new URL(url);
  const headers = Object.fromEntries(options.header);
  const { username, password } = target;
  if (username !== '' || password !== '') {
    if (Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')) {
      throw new UsageError(['there is a user in the URL, and --header authorization too']);
    }
    const plain = `${percentDecoded(username)}:${percentDecoded(password)}`;
    headers.authorization = `Basic ${Buffer.from(plain).toString('base64')}`;
    target.username = '';
    target.password = '';
  }
  const body = options.bodyFile === null ? options.body : await bodyIn(options.bodyFile, io.cwd);
  return { url: target.href, method: options.method, headers, body };
}

function bodyIn(file: string, folder: string): Promise<Uint8Array> {
  return readFile(resolve(folder, file)).catch((cause: unknown) => {
    throw new UnavailableError(`cannot read ${JSON.stringify(file)}: ${fileFault(cause)}`, {
      code: 'ERR_BODY_FILE',
      cause,
    });
  });
}
