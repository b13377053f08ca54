import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { watchModules } from '../../src/watch/modules.js';
import { Watcher } from '../../src/watch/watcher.js';

/** The methods by which a pool of tarn is known. */
const TARN = `class Pool {
  used = []; free = []; pendingAcquires = []; pendingValidations = []; pendingCreates = [];
  acquire() { return { resolve() {} }; }
  release() {} _destroy() {} numUsed() {} numPendingAcquires() {} numPendingValidations() {}
}`;

type PoolClass = new () => { acquire(): unknown };
interface Exports {
  readonly Pool: PoolClass;
  readonly default: PoolClass;
}

let folder: string;
let load: NodeJS.Require;
const watcher = new Watcher(systemClock);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-modules-'));
  load = createRequire(join(folder, 'app.cjs'));
  watchModules(watcher);
});
afterAll(() => rm(folder, { recursive: true }));

async function install(name: string, text: string): Promise<void> {
  await mkdir(join(folder, 'node_modules', name), { recursive: true });
  await writeFile(join(folder, 'node_modules', name, 'index.js'), text);
}

describe('a CommonJS module, when it is loaded', () => {
  it.each([
    [
      'the class itself',
      'itself',
      `${TARN} module.exports = Pool;`,
      (of: Exports) => of as unknown as PoolClass,
    ],
    ['among its exports', 'named', `${TARN} exports.Pool = Pool;`, (of: Exports) => of.Pool],
    ['as its default', 'transpiled', `${TARN} exports.default = Pool;`, (of: Exports) => of.default],
  ] as const)('has its class of pools watched: %s', async (_, name, text, classIn) => {
    await install(name, text);
    const before = watcher.read().pools.length;
    const pool = new (classIn(load(name) as Exports))();
    pool.acquire();
    expect(watcher.read().pools).toHaveLength(before + 1);
    // Looked at once, and not hooked again.
    expect(Object.getPrototypeOf(pool)).toBe(classIn(load(name) as Exports).prototype);
  });

  it('has no getter called, and is loaded whatever it exports', async () => {
    await install('lazy', "Object.defineProperty(exports, 'Pool', { get() { globalThis.called = true; } });");
    await install(
      'odd',
      "module.exports = new Proxy({}, { getOwnPropertyDescriptor() { throw new Error('no'); } });",
    );
    await install('plain', 'module.exports = 7;');
    load('lazy');
    expect(globalThis).not.toHaveProperty('called');
    expect(typeof load('odd')).toBe('object');
    expect(load('plain')).toBe(7);
  });

  it('is a gap where it has pools that cannot be watched', async () => {
    await install('oracledb', 'exports.sql = 1;');
    await install('generic-pool', 'exports.createPool = () => ({});');
    await install('toString', 'exports.a = 1;');
    for (const name of ['oracledb', 'generic-pool', 'toString']) load(name);
    expect(watcher.gaps).toEqual([
      'oracledb is in use, whose pools poolctl does not know',
      'generic-pool is of a version that poolctl does not know: its pools are not watched',
    ]);
  });

  it('is no gap where its class of pools is known', async () => {
    await install('tarn', `${TARN} exports.Pool = Pool;`);
    load('tarn');
    expect(watcher.gaps.join()).not.toContain('tarn');
  });
});
