import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { CONFIG_NAMES } from '../cli/config-search.js';
import { defaultSettings, type ReadSettings, type SettingsPlace } from './audit.js';

/** The order for the thread. */
export interface SettingsOrder {
  readonly place: SettingsPlace;
  readonly port: MessagePort;
  /** Becomes 1 when the answer is there. */
  readonly done: Int32Array;
}

const WORKER = new URL('./audit-worker.js', import.meta.url);
/** A config file that is a program may do anything before it exports. */
const LONGEST_MS = 30_000;

/**
 * Reads the settings at once. A config file may be a program, whose import gives a promise. So a thread reads it, and
 * this one waits. Without a config file there is no thread.
 */
export function readAuditSettingsSync(place: SettingsPlace): ReadSettings {
  if (place.config === null && stampOf(place) === '') return { settings: defaultSettings(), problems: [] };
  const { port1, port2 } = new MessageChannel();
  const done = new Int32Array(new SharedArrayBuffer(4));
  const order: SettingsOrder = { place, port: port2, done };
  const worker = new Worker(WORKER, { workerData: order, transferList: [port2], execArgv: [] });
  worker.unref();
  try {
    Atomics.wait(done, 0, 0, LONGEST_MS);
    const answer: ReadSettings | { readonly failure: string } | undefined =
      receiveMessageOnPort(port1)?.message;
    if (answer === undefined) return failed('the config file was not read within 30 s');
    return 'failure' in answer ? failed(`the config file cannot be read: ${answer.failure}`) : answer;
  } finally {
    port1.close();
    void worker.terminate();
  }
}

function failed(problem: string): ReadSettings {
  return { settings: defaultSettings(), problems: [problem] };
}

/** A text that differs once a config file is added, changed or deleted; '' where there is none. */
export function stampOf({ cwd, config }: SettingsPlace): string {
  const stamps: string[] = [];
  const add = (path: string) => {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found !== undefined)
      stamps.push(`${path} ${found.mtimeMs} ${found.ctimeMs} ${found.size} ${found.ino}`);
  };
  if (config !== null) add(resolve(cwd, config));
  else
    for (let at = cwd; ; at = dirname(at)) {
      for (const name of CONFIG_NAMES) add(join(at, name));
      if (stamps.length > 0 || dirname(at) === at) break;
    }
  return stamps.join('\n');
}
