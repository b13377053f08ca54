import { systemClock } from '../../base/clock.js';
import { asError } from '../../base/promises.js';
import { formatSize, parseSize } from '../../base/units.js';
import type { WatchedProcess } from '../process.js';
import type { Watcher } from '../watcher.js';
import { BlockFile } from './block-file.js';
import { LeaseRecorder } from './recorder.js';

/** How large a recording may become where POOLCTL_RECORD_LIMIT does not say. */
export const DEFAULT_LIMIT_BYTES = 512 << 20;

/**
 * Records the leases of a process into the file that POOLCTL_RECORD_LEASES names, from its first pool on. Of several
 * processes the first has that name; each other one appends its process id, and its thread.
 */
export function recordToFile(watcher: Watcher, self: WatchedProcess, name: string | null): void {
  const { POOLCTL_RECORD_LEASES: wanted, POOLCTL_RECORD_LIMIT: limit } = self.env;
  if (!wanted) return;
  const limitBytes = limit ? parseSize(limit, { least: 1 }) : DEFAULT_LIMIT_BYTES;
  watcher.willRecord = true;
  watcher.whenAny(() => {
    try {
      start(watcher, wanted, limitBytes, self, name);
    } catch (error) {
      self.tell(`poolctl: the leases are not recorded: ${asError(error).message}\n`);
    }
  });
}

function start(
  watcher: Watcher,
  wanted: string,
  limitBytes: number,
  self: WatchedProcess,
  name: string | null,
): void {
  const app = self.app(name);
  const startedAtMs = systemClock.wallTime();
  const about = { app: app.name, pid: self.pid, node: app.node ?? '', startedAtMs };
  // poolctl-ignore-next-line leak -- the listener below closes it, and adding a listener does not fail
  const file = openFirst([wanted, `${wanted}.${self.pid}-${self.thread}`], limitBytes, (error) => {
    self.tell(`poolctl: the recording of leases ended: ${error?.message}\n`);
  });
  const recorder = new LeaseRecorder(systemClock, about, (block) => {
    const fits = file.append(block);
    if (!fits) {
      file.close();
      self.tell(
        `poolctl: the recording of leases ended: ${file.path} has reached ${formatSize(limitBytes)}\n`,
      );
    }
    return fits;
  });
  self.onExit(() => {
    recorder.end('exit');
    file.close();
  });
  watcher.record(recorder);
}

function openFirst(
  paths: readonly string[],
  limitBytes: number,
  ended: (error: Error | null) => void,
): BlockFile {
  let last: unknown = null;
  for (const path of paths) {
    try {
      return new BlockFile(path, limitBytes, ended);
    } catch (error) {
      last = error;
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') break;
    }
  }
  throw last;
}
