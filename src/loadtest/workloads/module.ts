import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { closest } from '../../base/closest.js';
import { CodedError } from '../../base/coded-error.js';
import { fileFault } from '../../base/file-fault.js';
import { asError } from '../../base/promises.js';
import { seededRandom } from '../../base/random.js';
import type { RunSnapshot, Workload, WorkloadContext, WorkloadRun } from '../api.js';
import { codeOf } from '../failures.js';
import { WorkloadError } from './errors.js';
import type { Target, TargetStats } from './target.js';

const FUNCTIONS = ['open', 'acquire', 'run', 'release', 'close'] as const;
const OTHERS = ['name', 'work', 'stats'];
/** The user's own code ends the pool, and may never return. */
const CLOSE_MS = 10_000;

type Step = (typeof FUNCTIONS)[number] | 'stats';

/**
 * An error that a function of the target threw. It is counted by the code of that error, and its message names the function, so
 * that the user's own faults are not taken for poolctl's.
 */
export class TargetError extends CodedError {
  constructor(step: Step, cause: unknown) {
    const { message } = asError(cause);
    super(codeOf(cause), `${step}() of the target failed: ${message}`, { cause });
    this.name = 'TargetError';
  }
}

/** Loads a module from its path, in JavaScript or TypeScript. */
export type LoadModule = (path: string, source: string) => Promise<unknown>;

/** Loads the target of a file. Rejects with ERR_TARGET_MODULE, which says everything that is wrong with it. */
export async function loadTarget(file: string, folder: string, load: LoadModule): Promise<Target> {
  const refuse = (why: string, options: { cause?: unknown; hint?: string } = {}): WorkloadError =>
    new WorkloadError('ERR_TARGET_MODULE', `--module ${file}: ${why}`, options);
  const path = resolve(folder, file);
  const source = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw refuse(`it cannot be read: ${fileFault(cause)}`, { cause });
  });
  let loaded: unknown;
  try {
    loaded = await load(path, source);
  } catch (cause) {
    throw refuse(`it cannot be loaded: ${wordsOf(cause, file)}`, { cause });
  }
  const target = exported(loaded);
  if (typeof target !== 'object' || target === null) {
    throw refuse('it exports no target', { hint: EXAMPLE });
  }
  const missing = FUNCTIONS.filter((name) => typeof (target as Record<string, unknown>)[name] !== 'function');
  const unknown = Object.keys(target).filter((name) => ![...FUNCTIONS, ...OTHERS].includes(name));
  const problems = [
    ...missing.map((name) => `${name}() is missing`),
    ...unknown.flatMap((name) => {
      const meant = closest(name, [...missing, ...OTHERS]);
      return meant === null ? [] : [`${name} is not known; did you mean ${meant}?`];
    }),
  ];
  if (problems.length > 0)
    throw refuse(`its target is not complete: ${problems.join('; ')}`, { hint: EXAMPLE });
  return target as Target;
}

const EXAMPLE = 'export default defineTarget({ open, acquire, run, release, close }), from poolctl/loadtest';

/** A default export; of CommonJS what module.exports is, or its `default` or `target`. */
function exported(loaded: unknown): unknown {
  const { default: own = loaded } = loaded as { default?: unknown };
  if (typeof own !== 'object' || own === null || 'open' in own) return own;
  const { default: inner, target } = own as { default?: unknown; target?: unknown };
  return inner ?? target ?? own;
}

/** With the line of the file, where the stack has one. */
function wordsOf(cause: unknown, file: string): string {
  const { message, stack = '' } = asError(cause);
  const [, place] = new RegExp(`${basename(file).replace(/[^\\w]/g, '\\$&')}:(\\d+)`).exec(stack) ?? [];
  return place === undefined ? message : `${message} (line ${place})`;
}

/** Iterations that acquire from a pool of the user's, run, and release. */
export function targetWorkload(
  target: Target,
  { file, onRemark = () => {} }: { readonly file: string; readonly onRemark?: (text: string) => void },
): Workload {
  return {
    name: 'module',
    async open(context) {
      const pool = await attempt('open', () => target.open({ signal: context.stop, random: context.random }));
      return startRun(target, pool, file, context, onRemark);
    },
  };
}

function startRun(
  target: Target,
  pool: unknown,
  file: string,
  { random, signal: ended }: WorkloadContext,
  onRemark: (text: string) => void,
): WorkloadRun {
  const seed = Math.floor(random() * 2 ** 32);
  const figures = new Figures();
  return {
    description: {
      target: target.name ?? file,
      work: target.work ?? 'work of your own',
      ...{ simple: false, inProcess: false, statements: [] },
    },
    async iterate(number, probe, limit) {
      const signal = limit === undefined ? ended : AbortSignal.any([limit, ended]);
      const iteration = { number, signal, random: seededRandom(seed ^ Math.imul(number + 1, 0x9e3779b1)) };
      const lease = await figures.waiting(attempt('acquire', () => target.acquire(pool, iteration)));
      let thrown: TargetError | null = null;
      try {
        // Nobody waits for it any more, so it goes back at once.
        if (signal.aborted) throw asError(signal.reason);
        probe.acquired();
        await attempt('run', () => target.run(lease, iteration));
      } catch (error) {
        if (error instanceof TargetError) thrown = error;
        throw error;
      } finally {
        figures.released();
        const released = attempt('release', () =>
          thrown === null ? target.release(lease, pool) : target.release(lease, pool, thrown.cause),
        );
        // The error of the work says more.
        await (thrown === null ? released : released.catch(() => {}));
      }
    },
    begin: () => figures.begin(),
    snapshot: () => figures.snapshot(target.name ?? file, target.stats?.(pool) ?? {}),
    async close() {
      const late = new Promise<'late'>((resolve) => {
        setTimeout(resolve, CLOSE_MS, 'late').unref();
      });
      const closed = await Promise.race([attempt('close', () => target.close(pool)).catch(asError), late]);
      if (closed === 'late') onRemark(`close() of the target did not end within ${CLOSE_MS / 1000} s`);
      else if (closed instanceof Error) onRemark(closed.message);
    },
  };
}

/** Calls the user's code, and marks what it throws as that. */
async function attempt<T>(step: Step, call: () => Promise<T> | T): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new TargetError(step, cause);
  }
}

/** Counts leases and callers as they go in and out, since not every pool does. */
class Figures {
  #waiting = 0;
  #inUse = 0;
  #peakWaiting = 0;
  #peakInUse = 0;
  #acquired = 0;
  #released = 0;

  async waiting<T>(acquire: Promise<T>): Promise<T> {
    this.#peakWaiting = Math.max(this.#peakWaiting, ++this.#waiting);
    try {
      const lease = await acquire;
      this.#acquired++;
      this.#peakInUse = Math.max(this.#peakInUse, ++this.#inUse);
      return lease;
    } finally {
      this.#waiting--;
    }
  }

  released(): void {
    this.#inUse--;
    this.#released++;
  }

  begin(): void {
    this.#peakWaiting = this.#waiting;
    this.#peakInUse = this.#inUse;
  }

  snapshot(name: string, stats: TargetStats): RunSnapshot {
    const { size = null, live, idle = 0, inUse = this.#inUse, waiting = this.#waiting } = stats;
    const { created = null, destroyed = null } = stats;
    return {
      ...{
        schema: 1,
        name,
        driver: 'module',
        takenAtMs: Date.now(),
        size,
        maxOverflow: size === null ? null : 0,
      },
      ...{ live: live ?? inUse + idle, idle, inUse, overflow: null, creating: null, waiting },
      // A caller that is served at once has waited for a moment, too.
      ...{
        peakWaiting: this.#peakWaiting,
        peakInUse: this.#peakInUse,
        longestWaitMs: null,
        longestHoldMs: null,
      },
      ...{ createError: null, wait: null, hold: null, closed: false },
      counters: { ...NOT_COUNTED, created, destroyed, acquired: this.#acquired, released: this.#released },
    };
  }
}

const NOT_COUNTED: RunSnapshot['counters'] = {
  ...{
    created: null,
    createFailed: null,
    destroyed: null,
    overflowCreated: null,
    acquired: null,
    released: null,
  },
  ...{ waited: null, timedOut: null, aborted: null, refused: null, invalidated: null, softInvalidated: null },
  ...{ recycled: null, pingFailed: null, resetFailed: null, detached: null, leaked: null, collected: null },
  ...{ doubleReleased: null, nested: null },
};
