import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import { START_STATE, StateKeys, withHolders } from '../../src/audit/flow/state.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-size-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function auditOf(statements: readonly string[]) {
  const code = `import { Pool } from 'pg';\nconst pool = new Pool();\nexport async function all(on: boolean[]) {\n${statements.join('\n')}\n}\n`;
  await writeFile(join(folder, 'all.ts'), code);
  const { findings, summary } = audit(['.'], { cwd: folder });
  return { lines: findings.map(({ line }) => line), ...summary };
}

const safely = (id: number) =>
  `const c${id} = await pool.connect(); try { await c${id}.query('select 1'); } finally { c${id}.release(); }`;
const leaking = (id: number) =>
  `const c${id} = await pool.connect(); await c${id}.query('select 1'); c${id}.release();`;
const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);

/** Much work for one core that others use as well; how long it takes is no part of the tests. */
const PATIENCE_MS = 300_000;

describe('a function with thousands of', { timeout: PATIENCE_MS }, () => {
  it('leases that are released has no leak, and one among them that can escape is found', async () => {
    const statements = numbers(700).map(safely);
    expect(await auditOf(statements)).toMatchObject({ lines: [], undecided: 0, acquireCalls: 700 });
    statements[600] = leaking(600);
    expect(await auditOf(statements)).toMatchObject({ lines: [604], undecided: 0 });
  });

  it('branches is decided', async () => {
    const branches = numbers(1500).map((id) => `if (on[${id}]) await client.query('select ${id}');`);
    const open = ['const client = await pool.connect();', ...branches, 'client.release();'];
    expect(await auditOf(open)).toMatchObject({ lines: [4], undecided: 0 });
    const kept = [
      'const client = await pool.connect();',
      'try {',
      ...branches,
      '} finally { client.release(); }',
    ];
    expect(await auditOf(kept)).toMatchObject({ lines: [], undecided: 0 });
  });

  it('leaks has those that fit into the budget, and says that the others are not decided', async () => {
    const result = await auditOf(
      numbers(600).map((id) => `const c${id} = await pool.connect(); await c${id}.query('select 1');`),
    );
    expect(result.lines.length).toBeGreaterThan(10);
    expect(result.lines.length + result.undecided).toBe(600);
  });
});

describe('the names of a lease', () => {
  it('stay few where objects know each other, and are the shortest of each variable', () => {
    const paths = [
      'db',
      'teams.db',
      'teams.hub.db',
      'hooks.teams.hub.db',
      'hooks.hub.teams.db',
      'hub.hub.hub.db',
    ];
    const names = numbers(20).flatMap((id) => paths.map((path) => `1:${id}|hub@${id}.${path}`));
    const { holders } = withHolders(START_STATE, names);
    expect(holders).toHaveLength(80);
    expect(holders).toContain('1:7|hub@7.db');
    expect(holders).not.toContain('1:7|hub@7.hub.hub.hub.db');
    expect(withHolders(START_STATE, names.slice(0, 18)).holders).toHaveLength(18);
  });
});

describe('states', () => {
  const facts = (entries: readonly (readonly [string, string])[]) => ({
    ...START_STATE,
    facts: new Map(entries),
  });

  it('are the same whatever the order of what is known, and differ by each part', () => {
    const keys = new StateKeys();
    const one = keys.of(
      facts([
        ['a', '=1'],
        ['b', '=2'],
      ]),
    );
    expect(
      keys.of(
        facts([
          ['b', '=2'],
          ['a', '=1'],
        ]),
      ),
    ).toBe(one);
    const others = [
      facts([
        ['a', '=2'],
        ['b', '=1'],
      ]),
      facts([['a', '=1']]),
      facts([]),
      { ...START_STATE, holders: ['a'] },
      { ...START_STATE, holders: ['a', 'b'] },
      { ...START_STATE, status: 'held' as const },
      { ...START_STATE, unlikely: true },
      { ...START_STATE, rejecting: true },
      { ...START_STATE, pending: true },
      { ...START_STATE, leftBehind: true },
    ].map((state) => keys.of(state));
    expect(new Set([one, ...others]).size).toBe(others.length + 1);
  });
});
