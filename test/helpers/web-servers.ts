import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificate, key } from '../ws/certificate.js';
import { freePort, serverUser, startGuarded } from './guarded.js';

/** A web server that others made, with TLS and HTTP/2, which answers everything with `ok`. */
export interface WebServer {
  readonly url: string;
  stop(): Promise<void>;
}

export type WebServerSettings = Readonly<Record<string, string | number>>;

export function startNginx(settings: WebServerSettings): Promise<WebServer> {
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return startWebServer({
    argv: (file) => ['nginx', '-e', 'stderr', '-c', file],
    ready: /start worker process|using the|built by/,
    config: (folder, port) => `
daemon off; master_process off; error_log stderr notice; pid ${folder}/pid;
events { worker_connections 1000; }
http {
  access_log off;
  ${scratch.map((each) => `${each}_temp_path ${folder}/${each};`).join(' ')}
  ssl_certificate ${folder}/tls.pem; ssl_certificate_key ${folder}/tls.pem;
  ${linesOf(settings, ';').join(' ')}
  server { listen 127.0.0.1:${port} ssl http2 backlog=4096; location / { return 200 "ok"; } }
}
`,
  });
}

/** `settings` are those of its section `global`. */
export function startHaproxy(settings: WebServerSettings): Promise<WebServer> {
  return startWebServer({
    argv: (file) => ['haproxy', '-V', '-db', '-f', file],
    ready: /Loading success|New worker|Available polling/,
    config: (folder, port) => `
global
  ${linesOf(settings, '').join('\n  ')}
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
  timeout http-keep-alive 1s
frontend all
  bind 127.0.0.1:${port} ssl crt ${folder}/tls.pem alpn h2,http/1.1
  http-request return status 200 content-type text/plain string ok
`,
  });
}

/** A proxy of HTTP. `user` is the only one that it serves, as `NAME PASSWORD`; null: all. */
export function startTinyproxy(user: string | null): Promise<WebServer> {
  return startWebServer({
    scheme: 'http',
    // Its log goes to stdout.
    argv: (file) => ['sh', '-c', 'exec tinyproxy -d -c "$0" >&2', file],
    ready: /Accepting connections/,
    config: (_folder, port) => `
Port ${port}
Listen 127.0.0.1
Timeout 60
LogLevel Info
MaxClients 100
${user === null ? '' : `BasicAuth ${user}`}
`,
  });
}

interface Program {
  /** Default 'https'. */
  readonly scheme?: 'http';
  argv(file: string): readonly string[];
  readonly ready: RegExp;
  config(folder: string, port: number): string;
}

async function startWebServer({ scheme, argv, ready, config }: Program): Promise<WebServer> {
  const user = serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-web-'));
  const port = await freePort();
  const [tls, file] = [join(folder, 'tls.pem'), join(folder, 'config')];
  await writeFile(tls, `${certificate}\n${key}\n`);
  await writeFile(file, config(folder, port));
  for (const path of [folder, tls, file])
    if (user.uid !== undefined && user.gid !== undefined) await chown(path, user.uid, user.gid);
  const server = await startGuarded(argv(file), { user, folder, stopSignal: 'TERM', ready });
  return {
    url: `${scheme ?? 'https'}://127.0.0.1:${port}`,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function linesOf(settings: WebServerSettings, end: string): string[] {
  return Object.entries(settings).map(([name, value]) => `${name} ${value}${end}`);
}
