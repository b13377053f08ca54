import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import type { Finding } from '../../src/audit/types.js';

const ROOT = join(import.meta.dirname, '../../fixtures/audit');
const { findings, summary, warnings } = audit([ROOT], { cwd: ROOT, includeTests: true });

/** `// leak: KIND` stands on the line of the acquire call, `// bypass` on that of the statement that gets past release. */
function expected(text: string): { leaks: string[]; bypasses: number[] } {
  const [leaks, bypasses]: [string[], number[]] = [[], []];
  text.split('\n').forEach((line, index) => {
    const [, severity, kind] = /\/\/ (leak|note): ([\w-]+)(?: misuse: .*)?$/.exec(line) ?? [];
    if (kind !== undefined) leaks.push(`${index + 1} ${severity === 'leak' ? 'error' : 'note'} ${kind}`);
    if (line.endsWith('// bypass')) bypasses.push(index + 1);
  });
  return { leaks, bypasses };
}

function bypassOf({ trail, kind }: Finding): number[] {
  const step = trail.find(({ role }) => role === 'bypass');
  return step === undefined || kind === 'never-released' ? [] : [step.line];
}

describe('the analyser', () => {
  it('reads all fixtures', () => {
    expect(warnings).toEqual([]);
    expect(summary.files).toBeGreaterThan(12);
  });

  const folders = [
    'get-db/anti-patterns.ts get-db/factory.ts get-db/uses-factory.ts pg/paths.ts pg/owners.ts pg/promises.ts',
    'mysql/callbacks.js mysql/promise.ts typeorm/runners.ts transactions/sequelize.ts transactions/knex.ts',
    'mongodb/sessions.ts sqlite/handles.ts sqlite/callbacks.js pools/generic.ts clean/impostors.ts shapes/repository.ts shapes/drivers.ts shapes/own-session.ts',
    'misuse/pg.ts misuse/others.ts redis/clients.ts mssql/transactions.ts ib/connections.ts',
    'flow/states.ts flow/pairs.ts flow/owners.ts flow/promises.ts flow/events.ts flow/guards.ts',
    'flow/ownership.ts flow/lenders.ts flow/raises.ts flow/helper-listens.js flow/factories.js flow/flags.ts',
    'classes/singleton.ts pools/parts.ts pools/startup.ts',
    'habits/pools.ts transactions/kysely.ts oracledb/connections.ts neo4j/sessions.ts firebird/callbacks.js mysql/paths.ts',
  ];
  it.each(folders.join(' ').split(' '))('finds in %s what is marked there, and nothing else', (name) => {
    const { leaks, bypasses } = expected(readFileSync(join(ROOT, name), 'utf8'));
    const found = findings.filter(({ file, rule }) => file === name && rule === 'leak');
    expect(found.map(({ line, severity, kind }) => `${line} ${severity} ${kind}`)).toEqual(leaks);
    const named = new Set(found.flatMap(bypassOf));
    expect(bypasses.filter((line) => !named.has(line))).toEqual([]);
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
