import { expect } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { CheckResult, Status } from '../../src/doctor/types.js';
import { type Watched, type WatchOptions, watch } from '../../src/watch/index.js';
import { publish } from '../../src/watch/publish.js';
import { freePort } from '../helpers/guarded.js';
import { TOKEN } from '../helpers/token.js';
import { examine } from './bench.js';

/** By their names, as the library takes them; those of a group are objects of their own. */
export type Options = Readonly<Record<string, unknown>>;

/** An application while it runs: it has done whatever leads to what is found. */
export interface Running {
  readonly pools: readonly object[];
  end(): unknown;
}

export interface Application {
  /** Starts it with these options. */
  start(options: Options): Promise<Running>;
  /** What it is set up with at first, before what the repair sets. */
  readonly options?: Options;
  readonly watch?: WatchOptions;
  /** Flags and targets beside the application. */
  readonly argv?: readonly string[];
  /** Does what a repair in words says; without, each step must be an option to be set. */
  readonly repair?: (texts: readonly string[]) => Options | Promise<Options>;
}

/**
 * A check of an application, both ways: it must not pass, and with the repair done as printed, and the application
 * started anew, it must.
 */
export async function provesRepair(
  check: string,
  /** `either` where it changes from moment to moment. */
  status: Exclude<Status, 'pass' | 'skipped'> | 'either',
  application: Application,
): Promise<readonly [before: CheckResult, after: CheckResult]> {
  const port = await freePort();
  const { argv = [], options = {} } = application;
  const look = async (given: Options): Promise<CheckResult> => {
    const running = await application.start(given);
    const watched = running.pools.map((pool) => watch(pool, application.watch));
    const published = await publishOn(port, watched);
    try {
      const { results, code } = await examine([`pool:127.0.0.1:${port}`, ...argv, `--only=${check}`]);
      const [result] = results;
      if (result === undefined || results.length !== 1) throw new Error(JSON.stringify(results));
      expect({ code, status: result.status }).toEqual({
        code: result.status === 'fail' ? 1 : 0,
        status: result.status,
      });
      return result;
    } finally {
      published();
      await running.end();
    }
  };
  const before = await look(options);
  const wrong = before.status === 'warn' || before.status === 'fail';
  if (!wrong || (status !== 'either' && before.status !== status))
    throw new Error(`${check} is not '${status}': ${JSON.stringify(before)}`);
  const steps = before.fix?.steps ?? [];
  expect(steps.length).toBeGreaterThan(0);
  expect(before.fix?.risk).toMatch(/^[A-Z].*\.$/s);
  const texts = steps.map(({ text }) => text);
  const repair = application.repair ?? ((all) => all.reduce(set, options));
  const after = await look(await repair(texts));
  if (after.status !== 'pass')
    throw new Error(`${check} does not pass once repaired: ${JSON.stringify([before, after], null, 1)}`);
  return [before, after];
}

/** Does `pool 'a', in the options of b: set timeouts.readMs: 60000`. */
function set(options: Options, text: string): Options {
  const [, path = '', given = ''] = /: set ([\w.]+): (\S+)$/.exec(text) ?? [];
  if (path === '') throw new Error(`that is no option: ${text}`);
  const value: unknown = JSON.parse(given);
  const [first = '', second] = path.split('.');
  if (second === undefined) return { ...options, [first]: value };
  return { ...options, [first]: { ...(options[first] as object | undefined), [second]: value } };
}

/** Lets readers see pools; gives the way to end that. */
export async function publishOn(port: number, watched: readonly Watched[], pid = 42): Promise<() => void> {
  const published = await publish({
    app: { name: 'shop', pid, host: 'here', node: 'v20', startedAtMs: Date.now() - 1000 },
    at: { kind: 'port', host: '127.0.0.1', port, token: TOKEN },
    read: () => ({ takenAtMs: Date.now(), pools: watched.flatMap((one) => one.snapshots()), gaps: [] }),
    clock: systemClock,
  });
  return () => published.close();
}
