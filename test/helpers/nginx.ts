import { spawnSync } from 'node:child_process';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { certificate, key } from '../ws/certificate.js';
import { freePort, serverUser, startGuarded } from './guarded.js';

export interface Nginx {
  readonly url: string;
  /** Requests in its log: method, path and status. */
  stop(): Promise<void>;
}

export const describeWithNginx = describe.skipIf(!isInstalled());

/** Starts an nginx with TLS and HTTP/2 that answers everything with `ok`. */
export async function startNginx(settings: Readonly<Record<string, string | number>>): Promise<Nginx> {
  const user = serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-nginx-'));
  const port = await freePort();
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value};`);
  await writeFile(join(folder, 'cert.pem'), certificate);
  await writeFile(join(folder, 'key.pem'), key);
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; error_log stderr notice; pid ${folder}/pid;
events { worker_connections 1000; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `${each}_temp_path ${folder}/${each};`).join(' ')}
  ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
  ${lines.join(' ')}
  server { listen 127.0.0.1:${port} ssl http2 backlog=4096; location / { return 200 "ok"; } }
}
`,
  );
  for (const path of [folder, ...['cert.pem', 'key.pem', 'nginx.conf'].map((name) => join(folder, name))])
    if (user.uid !== undefined && user.gid !== undefined) await chown(path, user.uid, user.gid);
  const server = await startGuarded(['nginx', '-e', 'stderr', '-c', join(folder, 'nginx.conf')], {
    user,
    folder,
    stopSignal: 'TERM',
    ready: /start worker process|using the|built by/,
  });
  return {
    url: `https://127.0.0.1:${port}`,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function isInstalled(): boolean {
  const { error, status } = spawnSync('nginx', ['-v']);
  if (error === undefined && status === 0) return true;
  if (process.env.POOLCTL_REQUIRE_SERVICES === '1') throw new Error('nginx is not installed');
  return false;
}
