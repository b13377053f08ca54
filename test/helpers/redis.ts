import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type Guarded, startGuarded } from './guarded.js';

/** A redis-server of a test's own, without files; null where it is not installed. */
export async function startRedis(
  options: { readonly port?: number } = {},
): Promise<{ readonly port: number; stop(): Promise<void> } | null> {
  if (spawnSync('redis-server', ['--version']).status !== 0) {
    if (process.env.POOLCTL_REQUIRE_SERVICES === '1') throw new Error('redis-server is not installed');
    process.stderr.write('not tested: a pool of Redis, which is not installed\n');
    return null;
  }
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-redis-'));
  const port = options.port ?? (await freePort());
  // It logs to stdout, which is not read here.
  const script = 'exec redis-server "$@" >&2';
  const flags = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const server: Guarded = await startGuarded(['sh', '-c', script, 'redis', ...flags], {
    user: {},
    folder,
    stopSignal: 'TERM',
    ready: /Ready to accept connections/,
  });
  return {
    port,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
