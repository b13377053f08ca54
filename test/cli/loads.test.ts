import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bin, dist, root, start } from '../helpers/bin.js';

const recorder = pathToFileURL(join(root, 'test/helpers/record-loads.mjs')).href;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-loads-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a script, and tells which npm packages, rooms of src and chunks of the command line it loaded. */
async function loadedBy(script: string, argv: readonly string[]) {
  const list = join(folder, 'loads.txt');
  await writeFile(list, '');
  const options = { nodeArgs: ['--import', recorder], env: { RECORDED_LOADS: list } };
  const { stderr } = await start(script, argv, options).finished;
  const urls = (await readFile(list, 'utf8')).split('\n');
  const names = (pattern: RegExp) => [...new Set(urls.flatMap((url) => pattern.exec(url)?.[1] ?? []))].sort();
  return {
    stderr,
    packages: names(/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//),
    rooms: names(/\/src\/([^/]+)\/[^/]+\.js$/),
    vendored: names(/\/vendor\/([^/]+)\.js$/),
    chunks: names(/\/bin\/([^/]+?)(?:-[0-9A-Z]{8})?\.js$/),
  };
}

describe('what is loaded', () => {
  it('by poolctl itself is the shell, with no package and no command', async () => {
    for (const argv of [['--help'], ['--version'], ['no-such-command'], []]) {
      expect(await loadedBy(bin, argv)).toMatchObject({
        packages: [],
        // Of report one file, `text.js`, and of cli those that read configs: they are the library's too.
        rooms: ['base', 'cli', 'report'],
        chunks: ['chunk', 'commands', 'poolctl', 'process-edge'],
      });
    }
  });

  it.each(['index', 'watch/index', 'watch/register', 'http/index', 'ws/index', 'ib/index', 'health/index'])(
    'by %s, which applications load, is no schema of snapshots',
    async (door) => {
      const script = join(folder, 'door.mjs');
      await writeFile(script, `import '${pathToFileURL(join(dist, 'src', `${door}.js`)).href}';`);
      const { stderr, packages, vendored, rooms } = await loadedBy(script, []);
      expect(stderr).toBe('');
      expect(rooms.length).toBeGreaterThan(0);
      expect(packages).not.toContain('valibot');
      expect(vendored).not.toContain('valibot');
      expect(rooms).not.toContain('snapshot');
    },
  );

  it('by a command is the chunk of that command and no other', async () => {
    const { chunks } = await loadedBy(bin, ['compare', '--help']);
    expect(chunks).toEqual(['chunk', 'commands', 'compare', 'parse', 'poolctl', 'process-edge']);
  });

  it('is really seen, ES modules and CommonJS ones', async () => {
    const { resolve } = createRequire(import.meta.url);
    const script = join(folder, 'both.mjs');
    await writeFile(
      script,
      [
        "import { createRequire } from 'node:module';",
        `import '${pathToFileURL(resolve('chalk')).href}';`,
        `createRequire(import.meta.url)('${resolve('commander')}');`,
      ].join('\n'),
    );
    expect(await loadedBy(script, [])).toMatchObject({ stderr: '', packages: ['chalk', 'commander'] });
  });
});
