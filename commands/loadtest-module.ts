import { pathToFileURL } from 'node:url';
import { loadConfigModule } from '../src/cli/config-module.js';
import { type LoadModule, loadTarget, targetWorkload } from '../src/loadtest/workloads/module.js';
import type { LoadContext } from './loadtest-options.js';
import type { LoadSubject } from './loadtest-target.js';

/** A load test of a pool that a file of the user's makes and ends. */
export async function moduleTest({ options, io, warn }: LoadContext, file: string): Promise<LoadSubject> {
  const target = await loadTarget(file, io.cwd, load);
  return {
    // How large it is is the target's own affair. An open load warms up with as many workers.
    pool: { size: options.numWorkers, maxOverflow: 0, timeoutMs: null, recycleMs: null, prePing: false },
    workload: () => targetWorkload(target, { file, onRemark: warn }),
  };
}

/** TypeScript, and poolctl where it is not installed beside the file, need hooks of Node's loader. */
const load: LoadModule = (path, source) =>
  /\.[cm]?ts$/i.test(path) || /['"]poolctl\b/.test(source)
    ? loadConfigModule(path, source)
    : import(pathToFileURL(path).href);
