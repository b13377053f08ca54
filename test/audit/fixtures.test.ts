import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';

const ROOT = join(import.meta.dirname, '../../fixtures/audit');
const { findings, summary, warnings } = audit([ROOT], { cwd: ROOT, includeTests: true });

describe('the analyzer', () => {
  it('reads all fixtures', () => {
    expect(warnings).toEqual([]);
    expect(summary.files).toBeGreaterThan(12);
  });

  it.each(['misuse/pg.ts', 'misuse/others.ts', 'pg/paths.ts', 'shapes/repository.ts'])(
    'finds the misuses that are marked in %s',
    (name) => {
      const marked = linesOf(name, /misuse: (\w+) ([\w-]+)$/);
      const found = findings.filter(({ file, rule }) => file === name && rule !== 'leak');
      expect(found.map(({ line, severity, kind }) => `${line} ${severity} ${kind}`)).toEqual(
        marked.map(([line, severity, rule]) => `${line} ${severity} ${rule}`),
      );
      const lines = (role: string) =>
        found.flatMap(({ trail }) => trail.filter((step) => step.role === role));
      const places = (role: string) =>
        [...new Set(lines(role).map(({ line }) => line))].sort((a, b) => a - b);
      expect(places('misuse')).toEqual(linesOf(name, /\/\/ misused$/).map(([line]) => line));
      expect(places('release')).toEqual(linesOf(name, /\/\/ released$/).map(([line]) => line));
    },
  );

  const withHabits = 'pools sessions held listener'.split(' ').map((name) => `habits/${name}.ts`);
  it.each([...withHabits, 'pg/owners.ts', 'pools/generic.ts', 'neo4j/sessions.ts'])(
    'finds the habits that are marked in %s, as notes',
    (name) => {
      const found = findings.filter(({ file, rule }) => file === name && rule !== 'leak');
      expect(found.map(({ line, severity, kind }) => `${line} ${severity} ${kind}`)).toEqual(
        linesOf(name, /\/\/ habit: ([\w-]+)$/).map(([line, rule]) => `${line} note ${rule}`),
      );
      const shown = found.flatMap(({ trail }) => trail.filter(({ role }) => role === 'misuse'));
      expect(shown.map(({ line }) => line)).toEqual(linesOf(name, /\/\/ shown$/).map(([line]) => line));
    },
  );

  it('finds no misuse or habit where none is marked', () => {
    const others = findings.filter(
      ({ file, rule }) =>
        !/^(misuse|habits|flow)\/|^pg\/(paths|owners)|^shapes\/repository|^pools|^neo4j/.test(file) &&
        rule !== 'leak',
    );
    expect(others.map(({ file, line, kind }) => `${file}:${line} ${kind}`)).toEqual([]);
  });
});

/** The lines of a fixture that fit: the number, and what the pattern captures. */
function linesOf(name: string, pattern: RegExp): [number, ...string[]][] {
  const lines = readFileSync(join(ROOT, name), 'utf8').split('\n');
  return lines.flatMap((line, index): [number, ...string[]][] => {
    const found = pattern.exec(line);
    return found === null ? [] : [[index + 1, ...found.slice(1)]];
  });
}
