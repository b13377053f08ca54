import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';

/**
 * What a script of this folder measures in a process of its own, which writes it as JSON; null if that fails.
 * @template Measured
 * @param {string} script
 * @param {object} job
 * @param {readonly string[]} wrapper what starts it, such as taskset
 * @returns {Promise<Measured | null>}
 */
export function runChild(script, job, wrapper = []) {
  return new Promise((resolve) => {
    const own = [process.execPath, join(import.meta.dirname, script), JSON.stringify(job)];
    const [command = '', ...argv] = [...wrapper, ...own];
    const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('close', (code) => resolve(code === 0 ? JSON.parse(text) : null));
  });
}

/** @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/**
 * Queries a second, and CPU time for each in microseconds, of so many workers none of which ever rests.
 * @param {{ readonly clients: number, readonly seconds: number }} job
 * @param {{ query(worker: number): Promise<unknown>, end(): Promise<unknown> }} client
 * @param {number} warmUpMs
 */
export async function measureByHand(job, { query, end }, warmUpMs) {
  const loop = async (/** @type {number} */ untilMs) => {
    let done = 0;
    const worker = async (/** @type {unknown} */ _, /** @type {number} */ at) => {
      while (performance.now() < untilMs) {
        await query(at);
        done++;
      }
    };
    await Promise.all(Array.from({ length: job.clients }, worker));
    return done;
  };
  await loop(performance.now() + warmUpMs);
  const [cpu, startedAt] = [process.cpuUsage(), performance.now()];
  const done = await loop(startedAt + job.seconds * 1000);
  const tookMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  await end();
  return { perSecond: (done / tookMs) * 1000, cpuUs: (user + system) / done };
}
