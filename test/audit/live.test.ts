import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import { LiveAudit } from '../../src/audit/live.js';
import type { Finding } from '../../src/audit/types.js';

/** Folders with wrappers, classes that hold leases, and imports between files. */
const FOLDERS = ['get-db', 'classes'];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'poolctl-live-'));
  for (const name of FOLDERS)
    await cp(join(import.meta.dirname, '../../fixtures/audit', name), join(root, name), { recursive: true });
});
afterAll(() => rm(root, { recursive: true }));

const shown = (findings: readonly Finding[]) =>
  findings.map(({ file, line, kind, message }) => `${file}:${line} ${kind} ${message}`);
const whole = () => audit([root], { cwd: root }).findings;

describe('an audit that follows changes', () => {
  it('finds what a whole audit finds, after random edits', async () => {
    const random = seeded(7);
    const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
    const live = new LiveAudit([root], { cwd: root });
    expect(shown(live.result().result.findings)).toEqual(shown(whole()));
    for (let step = 0; step < 12; step++) {
      const names = (await readdir(root, { recursive: true })).filter((name) => /\.[jt]s$/.test(name));
      const path = join(root, pick(names));
      const text = await readFile(path, 'utf8');
      const kind = random();
      let found: readonly Finding[] | null = null;
      if (kind < 0.1) await rm(path);
      else if (kind < 0.2) await writeFile(join(path, `../copy-${step}.ts`), text);
      else {
        const next = edited(text, random);
        // The editor has it before the disk does.
        live.refresh();
        const unsaved = shown(live.findingsIn(path, next));
        await writeFile(path, next);
        found = whole();
        const own = found.filter(({ file }) => join(root, file) === path);
        expect({ step, path, unsaved }).toEqual({ step, path, unsaved: shown(own) });
      }
      live.refresh();
      expect({ step, found: shown(live.result().result.findings) }).toEqual({
        step,
        found: shown(found ?? whole()),
      });
    }
  }, 120_000);

  it('makes a caller of a new wrapper an acquire call', async () => {
    const live = new LiveAudit([root], { cwd: root });
    const [lend, use] = [join(root, 'lend.ts'), join(root, 'use.ts')];
    const body = (value: string) =>
      `import { Pool } from 'pg';\nconst pool = new Pool();\nexport const lend = async () => ${value};\n`;
    await writeFile(lend, body('null'));
    await writeFile(
      use,
      `import { lend } from './lend.js';\nexport async function a() {\n  const c = await lend();\n  await c.query('x');\n  c.release();\n}\n`,
    );
    live.refresh();
    expect(live.findingsIn(use)).toEqual([]);
    await writeFile(lend, body('pool.connect()'));
    live.refresh();
    expect(live.findingsIn(use)).toMatchObject([{ line: 3, kind: 'not-released-on-throw' }]);
    await writeFile(lend, body('null'));
    live.refresh();
    expect(live.findingsIn(use)).toEqual([]);
  });
});

/** A line less, a line twice, an early return, or a function of another name. */
function edited(text: string, random: () => number): string {
  const lines = text.split('\n');
  const at = Math.floor(random() * lines.length);
  const kind = random();
  if (kind < 0.4) lines.splice(at, 1);
  else if (kind < 0.6) lines.splice(at, 0, lines[at] ?? '');
  else if (kind < 0.8) return text.replace(/^( +)(await )/m, '$1if (Math.random() > 2) return null;\n$1$2');
  else return text.replace(/function (\w+)/, 'function $1New');
  return lines.join('\n');
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) >>> 0;
    return state / 2 ** 32;
  };
}
