import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { audit, type ResourceSpec } from '../../src/audit/index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-library-'));
});
afterAll(() => rm(folder, { recursive: true }));

const lockSpec: ResourceSpec = {
  id: 'door-key',
  title: 'a key',
  acquire: [{ kind: 'method', name: 'borrowKey', on: ['doors#Keeper'] }],
  release: { methods: ['putBack'], takes: [], ofParent: [] },
  protocol: [],
  docs: { why: '', leaks: '', fixed: '', exceptions: '' },
};

it('audits with kinds of leases that the program brings', async () => {
  await writeFile(
    join(folder, 'a.ts'),
    `import { Keeper } from 'doors';
const keeper = new Keeper();
export async function enter() {
  const key = await keeper.borrowKey();
  await key.turn();
  key.putBack();
}
`,
  );
  expect(audit(['.'], { cwd: folder }).findings).toEqual([]);
  const { findings, summary } = audit(['.'], { cwd: folder, resources: [lockSpec] });
  expect(findings).toMatchObject([
    { resource: 'door-key', line: 4, confidence: 'high', kind: 'not-released-on-throw' },
  ]);
  expect(summary).toMatchObject({ files: 1, acquireCalls: 1 });
});
