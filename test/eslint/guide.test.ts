import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root, start } from '../helpers/bin.js';
import { documentOf, fencesOf } from '../helpers/documents.js';

const LEAK = `import { Pool } from 'pg';
const pool = new Pool();
export async function orders() {
  const client = await pool.connect();
  const { rows } = await client.query('select 1');
  client.release();
  return rows;
}
`;

const configs = fencesOf(documentOf('docs/guides/eslint.md')).filter(({ language }) => language === 'js');
const require = createRequire(import.meta.url);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-eslint-guide-'));
  await mkdir(join(folder, 'node_modules/typescript-eslint'), { recursive: true });
  await symlink(root, join(folder, 'node_modules/poolctl'), 'junction');
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  // Stands for the parser of TypeScript, which the JavaScript of this test does not need.
  await writeFile(
    join(folder, 'node_modules/typescript-eslint/index.js'),
    'export default { parser: undefined };\n',
  );
  await writeFile(
    join(folder, 'node_modules/typescript-eslint/package.json'),
    '{ "type": "module", "main": "index.js" }',
  );
  await writeFile(join(folder, 'orders.js'), LEAK);
});
afterAll(() => rm(folder, { recursive: true }));

it.each(configs.map(({ code }, at) => [at + 1, code] as const))(
  'ESLint takes config %i of the guide, and finds the leak',
  async (_, code) => {
    const own = code.replace('parser: tseslint.parser', '');
    await writeFile(join(folder, 'eslint.config.js'), own);
    const eslint = join(dirname(require.resolve('eslint/package.json')), 'bin/eslint.js');
    const running = start(eslint, ['orders.js', '--format', 'json'], { cwd: folder });
    const { stdout, stderr, code: exit } = await running.finished;
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: '' });
    const [result] = JSON.parse(stdout);
    expect(result.messages).toMatchObject([{ ruleId: 'poolctl/no-leaked-lease', line: 4, column: 29 }]);
  },
);
