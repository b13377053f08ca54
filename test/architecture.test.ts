import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { describe, expect, it } from 'vitest';

/** What each room of src may import. A room not listed here does not exist. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  pool: ['base'],
  db: ['pool', 'base'],
  loadtest: ['lab', 'pool', 'db', 'http', 'ws', 'base'],
  audit: ['base'],
  watch: ['pool', 'base'],
  sources: ['watch', 'pool', 'db', 'base'],
  pgbouncer: ['base'],
  doctor: ['sources', 'pgbouncer', 'watch', 'pool', 'db', 'base'],
  ib: ['pool', 'base'],
  ws: ['pool', 'base'],
  http: ['pool', 'base'],
  lab: ['ib', 'ws', 'base'],
  top: ['sources', 'watch', 'pool', 'report', 'base'],
  health: ['sources', 'watch', 'pool', 'base'],
  metrics: ['sources', 'watch', 'pool', 'base'],
  report: ['base'],
  cli: ['report', 'base'],
  testing: ['pool', 'db', 'base'],
  'index.ts': ['pool', 'db', 'base'],
};
/** Rooms that may name any room's types, since they draw its results. */
const READS_ALL_TYPES = ['report'];
/** Where each npm package may be imported, so that nothing is loaded that a run does not use. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@stoqey/ib': ['src/ib/'],
  autocannon: ['src/loadtest/http/'],
  'better-sqlite3': ['src/db/drivers/'],
  chalk: ['src/report/'],
  commander: ['src/cli/'],
  'hdr-histogram-js': ['src/report/loadtest/'],
  ink: ['src/top/'],
  pg: ['src/db/drivers/'],
  'prom-client': ['src/metrics/'],
  react: ['src/top/'],
  'ts-morph': ['src/audit/'],
  undici: ['src/http/'],
  ws: ['src/ws/', 'src/lab/feed-server/'],
};
/** Words that must not stand in the code of a place, strings and comments aside. */
const FORBIDDEN: readonly (readonly [place: RegExp, word: RegExp, reason: string])[] = [
  [
    // The second is loaded into programs of the user's, which hand nothing in.
    /^src\/(?!(?:cli\/io|watch\/process)\.ts$)/,
    /(?<![.\w])(?:globalThis\.)?process\s*(?:[.[]|\?\.)/,
    'only src/cli/io.ts and src/watch/process.ts read process',
  ],
  [/^(src|commands)\//, /(?<![.\w])console\s*\./, 'nothing prints but through the Io'],
  [/^(src|commands|bin)\//, /process\.exit\s*\(/, 'process.exit loses output and hides leaks'],
  [
    /^src\/pool\//,
    /Date\.now|performance\.now|\bset(Timeout|Interval|Immediate)\b/,
    'the pool has only the injected clock',
  ],
  [
    /^src\/report\//,
    /Date\.now|new Date\(\)|Math\.random|performance\.now/,
    'a report is a function of its data',
  ],
];

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** All that is wrong with a file, as sentences. */
function violations(path: string, text: string): string[] {
  const code = withoutComments(text);
  const words = withoutStrings(code);
  return [
    ...importsOf(withoutTemplates(code)).flatMap((one) => importProblem(path, one) ?? []),
    ...FORBIDDEN.filter(([place, word]) => place.test(path) && word.test(words)).map(
      ([, , reason]) => `${path}: ${reason}`,
    ),
  ];
}

function importProblem(path: string, { specifier, typeOnly }: Import): string | null {
  const from = `${path} imports ${specifier}`;
  if (specifier.startsWith('.')) {
    const target = normalize(join(dirname(path), specifier));
    if (path.startsWith('commands/')) {
      const ownPart = target.startsWith(`${path.replace(/(-\w+)?\.ts$/, '')}-`);
      if (path === 'commands/index.ts' || ownPart || target.startsWith('src/')) return null;
      return `${from}: commands never import each other`;
    }
    if (path.startsWith('bin/')) return null;
    const [own, other] = [roomOf(path), roomOf(target)];
    if (ROOMS[own] === undefined) return `${path}: the room ${own} is not in the table`;
    if (own === other || ROOMS[own].includes(other)) return null;
    if (typeOnly && READS_ALL_TYPES.includes(own) && ROOMS[other] !== undefined) return null;
    return `${from}: ${own} may import ${ROOMS[own].join(', ') || 'nothing'}`;
  }
  if (specifier === 'node:process' || specifier === 'process') return `${from}: process is handed in`;
  if (specifier.startsWith('node:')) {
    const pure = !path.startsWith('src/report/') || ['node:util', 'node:path'].includes(specifier);
    return pure ? null : `${from}: a report is a function of its data`;
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return PACKAGES[name]?.some((place) => path.startsWith(place))
    ? null
    : `${from}: ${name} is not for this place`;
}

function roomOf(path: string): string {
  return path.startsWith('src/') ? (path.split('/')[1]?.replace(/\.js$/, '.ts') ?? '') : path;
}

function importsOf(code: string): Import[] {
  const statements = code.matchAll(
    /\b(?:import|export)\s+(?:(type)\s+)?(?:([^'"`;()]*?)\sfrom\s*)?(['"])([^'"]+)\3/g,
  );
  const calls = code.matchAll(/\b(?:import|require)\s*\(\s*(['"])([^'"]+)\1/g);
  return [
    ...[...statements].map(([, type, names = '', , specifier = '']) => ({
      specifier,
      typeOnly: type !== undefined || /^\{(\s*type\s[^,}]+,?)+\s*\}$/.test(names.trim()),
    })),
    ...[...calls].map(([, , specifier = '']) => ({ specifier, typeOnly: false })),
  ];
}

function withoutComments(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\/.*/g,
    '$1',
  );
}

/** Without templates: what an import in one of them names is an example for people. */
function withoutTemplates(code: string): string {
  return code.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, (text) =>
    text.startsWith('`') ? '``' : text,
  );
}

/** Without the text of strings; what stands in `${}` of a template is code. */
function withoutStrings(code: string): string {
  return code.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g, (text) =>
    text.startsWith('`') ? [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, inner]) => inner).join(';') : "''",
  );
}

const root = join(import.meta.dirname.replaceAll('\\', '/'), '..');
const sources = ['src', 'bin', 'commands'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path.replaceAll('\\', '/')))
    .filter((path) => /\.[cm]?[jt]s$/.test(path)),
);

describe('the architecture', () => {
  it('is kept by every file', () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.flatMap((path) => violations(path, readFileSync(join(root, path), 'utf8')))).toEqual([]);
  });

  it.each([
    ['src/pool/x.ts', "import { a } from '../db/session.js';", 'pool may import base'],
    ['src/base/x.ts', "export * from '../pool/lease.js';", 'base may import nothing'],
    ['src/db/x.ts', "const a = await import('../cli/io.js');", 'db may import pool, base'],
    ['src/db/x.ts', "import {\n  type A,\n  b,\n} from '../loadtest/result.js';", 'db may import'],
    ['src/ib/x.ts', "import { a } from '../lab/ib-gateway/gateway.js';", 'ib may import pool, base'],
    ['src/report/x.ts', "import { a } from '../loadtest/result.js';", 'report may import base'],
    ['src/report/x.ts', "import { readFileSync } from 'node:fs';", 'a function of its data'],
    ['src/report/x.ts', 'const at = Date.now();', 'a function of its data'],
    ['src/index.ts', "export { a } from './loadtest/index.js';", 'index.ts may import pool, db, base'],
    ['src/new/x.ts', "import { a } from '../base/clock.js';", 'the room new is not in the table'],
    ['src/pool/x.ts', "import '../../commands/index.js';", 'pool may import base'],
    ['commands/a.ts', "import { b } from './b.js';", 'commands never import each other'],
    ['src/db/database.ts', "import Sqlite from 'better-sqlite3';", 'better-sqlite3 is not for this place'],
    ['src/loadtest/x.ts', "import a from '@scope/new/deep';", '@scope/new is not for this place'],
    ['src/db/x.ts', "import process from 'node:process';", 'process is handed in'],
    ['src/db/x.ts', 'const { pid } = globalThis.process?.env;', 'src/watch/process.ts read process'],
    ['src/db/x.ts', 'const a = `$' + '{process.pid}`;', 'src/watch/process.ts read process'],
    ['src/watch/x.ts', 'const a = process.env;', 'src/watch/process.ts read process'],
    ['src/db/x.ts', "console.log('a');", 'nothing prints'],
    ['bin/x.ts', 'process.exit(1);', 'process.exit loses output'],
    ['src/pool/x.ts', 'setTimeout(done, 5);', 'the pool has only the injected clock'],
  ])('would be seen broken in %s by %s', (path, text, message) => {
    expect(violations(path, text)).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ['src/report/x.ts', "import type { A } from '../loadtest/result.js';"],
    ['src/report/x.ts', "import { type A, type B } from '../loadtest/result.js';"],
    ['src/pool/x.ts', "// console.log(process.pid)\n/* import '../db/x.js' */ const a = 'process.env';"],
    ['src/pool/x.ts', 'clock.setTimer(a, 5); const b = this.process.pid;'],
    ['src/cli/io.ts', 'const a = process.env;'],
    ['src/watch/process.ts', 'const a = process.env;'],
    ['src/audit/x.ts', "const example = `import a from 'pg';\nimport b from 'knex';`;"],
    ['commands/loadtest.ts', "import { work } from './loadtest-work.js';"],
    ['commands/loadtest-work.ts', "import { options } from './loadtest-options.js';"],
    ['commands/index.ts', "const load = () => import('./loadtest.js');"],
  ])('is not seen broken in %s by %s', (path, text) => {
    expect(violations(path, text)).toEqual([]);
  });
});
