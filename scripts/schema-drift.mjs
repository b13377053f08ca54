/**
 * Which rooms fail to compile when a field of the snapshot schemas is renamed: `node scripts/schema-drift.mjs`, with
 * the names of fields (`idCollisions`) or files (`feed.ts`) to check only those. Each field takes a type check of the
 * whole program, several seconds.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..');
const SCHEMAS = 'src/snapshot';

/**
 * @typedef {{ file: string, line: number, name: string }} Field a field of a schema, and where it is defined
 * @typedef {{ path: string, room: string, message: string }} Problem an error of the compiler
 */

/** @returns {Field[]} all fields of all schemas */
export function fieldsOfSchemas() {
  return readdirSync(join(root, SCHEMAS))
    .filter((file) => !['schema.ts', 'metric.ts', 'bounds.ts', 'sums.ts'].includes(file))
    .flatMap((file) =>
      readFileSync(join(root, SCHEMAS, file), 'utf8')
        .split('\n')
        .flatMap((text, line) => {
          const [, name] = /^ {2,}(\w+): (?:[a-z]\w*\(|[a-z]\w*,$)/.exec(text) ?? [];
          return name === undefined ? [] : [{ file, line, name }];
        }),
    );
}

/**
 * Renames fields in a copy of the program, and type-checks it.
 * @param {readonly Field[]} fields
 * @returns {Promise<Problem[]>}
 */
export async function problemsWithout(fields) {
  const copy = mkdtempSync(join(tmpdir(), 'poolctl-drift-'));
  try {
    for (const name of ['src', 'commands', 'bin', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])
      cpSync(join(root, name), join(copy, name), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    for (const { file, line, name } of fields) {
      const path = join(copy, SCHEMAS, file);
      const lines = readFileSync(path, 'utf8').split('\n');
      lines[line] = lines[line]?.replace(`${name}:`, `${name}Renamed:`) ?? '';
      writeFileSync(path, lines.join('\n'));
    }
    return await typeCheck(copy);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/**
 * @param {string} folder
 * @returns {Promise<Problem[]>}
 */
async function typeCheck(folder) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const argv = [tsc, '-p', 'tsconfig.build.json', '--noEmit', '--pretty', 'false'];
  const stdout = await promisify(execFile)(process.execPath, argv, { cwd: folder, maxBuffer: 1e8 }).then(
    (done) => done.stdout,
    (error) => String(error.stdout),
  );
  return stdout
    .split(/\n(?=\S)/)
    .map((error) => /^([^(]+)\(\d+,\d+\): error (.*)$/s.exec(error))
    .flatMap((found) => {
      const [, path = '', message = ''] = found ?? [];
      return path === '' ? [] : [{ path, room: path.split('/').slice(0, 2).join('/'), message }];
    });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const wanted = process.argv.slice(2);
  const fields = fieldsOfSchemas().filter(
    ({ file, name }) => wanted.length === 0 || wanted.includes(file) || wanted.includes(name),
  );
  for (const field of fields) {
    const problems = await problemsWithout([field]);
    const rooms = [...new Set(problems.map(({ room }) => room.replace('src/', '')))].sort();
    const where = `${field.file}:${field.line + 1}`;
    process.stdout.write(`${where.padEnd(16)} ${field.name.padEnd(18)} ${rooms.join(' ') || 'nobody'}\n`);
  }
}
