import { subscribe } from 'node:diagnostics_channel';
import { systemClock } from '../base/clock.js';
import { asError } from '../base/promises.js';
import { maskSecrets } from '../base/secrets.js';
import { parseDuration } from '../base/units.js';
import { logLifeCycle } from '../pool/life-cycle-log.js';
import { bundledIn } from './bundled.js';
import { watchEmitters } from './emitters.js';
import { watchModules } from './modules.js';
import { OpenedConnections } from './opened.js';
import { exportMetrics } from './otel/export.js';
import { isOwnPool } from './own-pool.js';
import { watchPostgresJs } from './postgres-js/load.js';
import { thisProcess, type WatchedProcess } from './process.js';
import { processWatcher } from './process-watcher.js';
import type { Hello } from './protocol.js';
import { parsePublishPort } from './publish-port.js';
import { publishProcess } from './publish-process.js';
import { recordToFile } from './record/to-file.js';
import { STARTED } from './started.js';
import { summaryOf } from './summary.js';

/** Each process and thread of an application has a port of its own; more have none. */
const FURTHER_PORTS = 63;
/** So long a process without pools leaves the ports to others. */
const PORT_AFTER_MS = 10_000;

/**
 * Watches all pools that this process, or thread, will have, and publishes them. A process without pools is published
 * too: it reports its gaps. Never throws. It reports its failures on stderr, because the program has not asked for it.
 *
 * Environment:
 * - POOLCTL_NAME: the application's name.
 * - POOLCTL_PUBLISH: `off`, or `127.0.0.1:PORT` for that port or the next free one above. Default: a socket in the
 *   user's own folder.
 * - POOLCTL_TOKEN: the token that readers of that port need. Default: a random one.
 * - POOLCTL_LEAK_AFTER: age of a leak, such as `60s`.
 * - POOLCTL_OTLP: target of metrics if the application has no meter provider of OpenTelemetry.
 * - POOLCTL_EXIT_FOLDER: folder for the last reading at exit, which `poolctl run` diagnoses.
 * - POOLCTL_RECORD_LEASES: file for a recording of the leases.
 * - POOLCTL_RECORD_LIMIT: size of that file at which the recording ends. Default: `512MB`.
 * - POOLCTL_VERBOSE: `1` prints each step in the life of our own pools, including broker pools, on stderr.
 */
export function startWatching(self: WatchedProcess = thisProcess()): void {
  try {
    // A preload and an import of the same, or of two copies of poolctl.
    if (STARTED in globalThis) return;
    Object.defineProperty(globalThis, STARTED, { value: true, configurable: true });
    const { POOLCTL_NAME: name, POOLCTL_PUBLISH: where, POOLCTL_LEAK_AFTER: leakAfter } = self.env;
    const { POOLCTL_VERBOSE: verbose } = self.env;
    const watcher = processWatcher();
    if (leakAfter) watcher.defaults = { leakAfterMs: parseDuration(leakAfter) };
    const tellLine = (line: string): void => self.tell(`poolctl: ${maskSecrets(line)}\n`);
    watchModules(watcher);
    watchEmitters(watcher);
    watchPostgresJs(watcher, self.script);
    watcher.opened ??= new OpenedConnections();
    watcher.opened.watch();
    subscribe('poolctl:pool:open', (message) => {
      const { pool } = message as { readonly pool: object };
      watcher.add(pool);
      if (verbose === '1' && isOwnPool(pool)) logLifeCycle(pool, tellLine);
    });
    if (verbose === '1')
      subscribe('poolctl:pool:log', (message) => tellLine((message as { readonly text: string }).text));
    recordToFile(watcher, self, name || null);
    const port = where && where !== 'off' ? parsePublishPort(where) : null;
    const publish = () => {
      if (where === 'off') return;
      const at = port === null ? null : { ...port, further: FURTHER_PORTS };
      publishProcess({ name: name || null, port: at }).then(
        ({ address, token, tokenFile }) => {
          // If the token is neither in a file nor given, this is the only place to learn it.
          if (token !== null && tokenFile === null && !self.env.POOLCTL_TOKEN)
            self.tell(`poolctl: readers of ${address} need POOLCTL_TOKEN=${token}\n`);
          if (port !== null && !address.endsWith(`:${port.port}`))
            self.tell(
              `poolctl: port ${port.port} is taken: ${self.label} publishes its pools at ${address}\n`,
            );
        },
        (error) => tellLine(asError(error).message),
      );
    };
    // A thread without pools, of which libraries start many, is nobody's concern, and neither is npm itself.
    watcher.whenAny(publish);
    if (self.thread === 0 && !isLauncher(self.script)) {
      // The port that was given is for the process that has the pools, which its parents started.
      if (port === null) publish();
      else systemClock.setTimer(publish, PORT_AFTER_MS, { background: true });
    }
    exportMetrics(watcher, self, systemClock, {
      ...{ url: self.env.POOLCTL_OTLP || null, name: name || null, tell: tellLine },
    });
    const bundled = self.thread === 0 && self.script !== null ? bundledIn(self.script) : null;
    if (bundled !== null) {
      watcher.gap(bundled);
      self.tell(`poolctl: ${bundled}\n`);
    }
    self.onExit(() => {
      const last = watcher.read();
      self.tell(maskSecrets(summaryOf(last.pools, self.thread)));
      const { POOLCTL_EXIT_FOLDER: folder } = self.env;
      if (!folder || last.pools.length === 0) return;
      const hello: Hello = { schema: 1, app: self.app(name || null) };
      self.leave(folder, `${JSON.stringify(hello)}\n${JSON.stringify(last)}\n`);
    });
  } catch (error) {
    self.tell(`poolctl: the pools of this process are not watched: ${asError(error).message}\n`);
  }
}

/** Package managers, which start the application as a process of its own. */
function isLauncher(script: string | null): boolean {
  return (
    script !== null && /[\\/](?:npm|npx|pnpm|pnpx|yarn|yarnpkg|corepack)(?:-cli)?(?:\.[cm]?js)?$/.test(script)
  );
}
