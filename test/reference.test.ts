import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ExitCode } from '../src/cli/exit-codes.js';
import { databaseOptionProblems } from '../src/db/option-names.js';
import { FOREIGN_NAMES } from '../src/pool/option-names.js';
import { root } from './helpers/bin.js';
import { documentOf } from './helpers/documents.js';
import { texts, withoutComments } from './helpers/imports.js';

/** Codes of Node and of libraries that the sources name, which have no entry of ours. */
const FOREIGN_CODES =
  /^ERR_(?:SSL_|TLS_|INVALID_ARG|NOT_SUPPORTED|STREAM_DESTROYED|WORKER_OUT_OF_MEMORY|HEADERS_OVERFLOW|BUFFER_TOO_LARGE|SQLITE_ERROR|RES_|REQ_|DB_$)/;

/** The error codes that a text names in quotes. */
function codesIn(source: string): string[] {
  return [...withoutComments(source).matchAll(/(?<=['"`])ERR_[A-Z0-9_]+(?=['"`])/g)]
    .map(([code]) => code)
    .filter((code) => !FOREIGN_CODES.test(code));
}

/** The fields of an interface of events: `create: {...}` in `interface PoolEvents`. */
function eventsOf(file: string, type: string): string[] {
  const source = withoutComments(readFileSync(join(root, file), 'utf8'));
  const [, body = ''] = new RegExp(`interface ${type}\\b[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(source) ?? [];
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name = '']) => name);
}

/** The first cells of the table below a heading. */
function rowsBelow(text: string, heading: string): string[] {
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name);
}

describe('the reference of errors', () => {
  const page = documentOf('docs/reference/errors.md');
  const entries = [...page.matchAll(/^### (ERR_\w+)\n\n([\s\S]*?)(?=\n#|$(?![\s\S]))/gm)];

  it('has an entry for every code, and no other', () => {
    const codes = new Set([...texts.values()].flatMap(codesIn));
    expect(entries.map(([, code]) => code).sort()).toEqual([...codes].sort());
  });

  it('says of each what to do', () => {
    const without = entries.filter(([, , body = '']) => !/\nWhat to do: .+\./s.test(body));
    expect(without.map(([, code]) => code)).toEqual([]);
  });

  it('would miss a new code', () => {
    expect(
      codesIn("throw new PoolError('ERR_POOL_NEW'); // 'ERR_OLD'\nif (code === 'ERR_SSL_X') return;"),
    ).toEqual(['ERR_POOL_NEW']);
  });
});

describe('the reference of events', () => {
  const page = documentOf('docs/reference/events.md');

  it.each([
    ['src/pool/events.ts', 'PoolEvents', 'Pools of databases and resources'],
    ['src/http/events.ts', 'HttpEvents', 'HTTP pools'],
    ['src/ws/events.ts', 'FeedEvents', 'Subscription pools'],
  ])('has every event of %s', (file, type, heading) => {
    const events = eventsOf(file, type);
    expect(events.length).toBeGreaterThan(5);
    expect(rowsBelow(page, heading).sort()).toEqual([...events, 'listenerFailed'].sort());
  });
});

describe('the reference of exit codes', () => {
  it('has every code', () => {
    const rows = [...documentOf('docs/reference/exit-codes.md').matchAll(/^\| (\d+) \|/gm)];
    expect(rows.map(([, code]) => Number(code))).toEqual(Object.values(ExitCode));
  });
});

describe('the guides for other pools', () => {
  it.each(['from-pg-pool', 'from-sqlalchemy', 'from-hikaricp'])(
    '%s gives options the names that poolctl has',
    (guide) => {
      const rows = [...documentOf(`docs/guides/${guide}.md`).matchAll(/^\| `(\w+)` \| `(\w+)`/gm)];
      const known = rows.filter(([, foreign = '']) => foreign in FOREIGN_NAMES);
      expect(known.length).toBeGreaterThan(3);
      for (const [, foreign = '', own = ''] of known) {
        const answer = FOREIGN_NAMES[foreign] ?? '';
        expect({ foreign, own, fits: answer === own || answer.includes(own) }).toEqual({
          foreign,
          own,
          fits: true,
        });
        expect(databaseOptionProblems({ [foreign]: 1 })).not.toEqual([]);
      }
    },
  );
});
