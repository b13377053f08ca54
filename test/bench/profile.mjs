import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/**
 * @typedef {{ readonly id: number, readonly callFrame: { readonly functionName: string, readonly url: string,
 *   readonly lineNumber: number }, readonly hitCount?: number }} ProfileNode
 */

/**
 * Where the time of a job goes: function by function, its own time without that of what it calls. What V8 has
 * inlined counts for the function around it.
 * @param {(flags: readonly string[]) => unknown} run runs the job in a process with these flags
 * @param {number} most how many functions to name
 */
export function profile(run, most) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-profile-'));
  try {
    run(['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=200']);
    const [file] = readdirSync(folder);
    return file === undefined ? [] : heaviest(JSON.parse(readFileSync(join(folder, file), 'utf8')), most);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {{ nodes: readonly ProfileNode[] }} recorded
 * @param {number} most
 * @returns {{ name: string, share: number }[]}
 */
function heaviest({ nodes }, most) {
  /** @type {Map<string, number>} */
  const hits = new Map();
  for (const { callFrame, hitCount = 0 } of nodes) {
    const { functionName, url, lineNumber } = callFrame;
    const place = url === '' ? '' : ` ${basename(url)}:${lineNumber + 1}`;
    const name = `${functionName || '(anonymous)'}${place}`;
    hits.set(name, (hits.get(name) ?? 0) + hitCount);
  }
  const total = [...hits.values()].reduce((sum, each) => sum + each, 0);
  return [...hits]
    .sort((a, b) => b[1] - a[1])
    .slice(0, most)
    .map(([name, count]) => ({ name, share: count / total }));
}
