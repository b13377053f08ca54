import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The mutants that do not compile: no test has to notice a mistake that cannot reach one. A single run of the compiler
 * checks them all, each in a copy of its file beside the original.
 *
 * @param {readonly import('./mutants.mjs').Mutant[]} mutants
 * @param {string} folder for the copies; within the project, or packages would not be found
 * @returns {Set<import('./mutants.mjs').Mutant>}
 */
export function refusedByCompiler(mutants, folder) {
  if (mutants.length === 0) return new Set();
  mkdirSync(folder, { recursive: true });
  const project = mkdtempSync(join(folder, 'compile-'));
  try {
    cpSync('src', join(project, 'src'), { recursive: true });
    /** @type {Map<string, string>} */
    const unchanged = new Map();
    const copies = mutants.map((mutant, at) => {
      const text = readFileSync(mutant.file, 'utf8');
      const { file, from, original, replacement } = mutant;
      unchanged.set(file, write(project, file, 'unchanged', text));
      return write(
        project,
        file,
        `${at}`,
        text.slice(0, from) + replacement + text.slice(from + original.length),
      );
    });
    const config = {
      extends: join(process.cwd(), 'tsconfig.json'),
      files: [...unchanged.values(), ...copies],
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ ...config, include: [] }));
    const errors = errorsOf(project);
    return new Set(
      mutants.filter(({ file }, at) => {
        // A class with private fields is not the class of its copy, so copies may have errors of their own.
        const usual = errors.get(unchanged.get(file) ?? '') ?? [];
        return (errors.get(copies[at] ?? '') ?? []).some((error) => !usual.includes(error));
      }),
    );
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

/**
 * @param {string} project
 * @param {string} file
 * @param {string} name
 * @param {string} text
 */
function write(project, file, name, text) {
  const copy = file.replace(/\.(tsx?)$/, `.${name}.$1`);
  writeFileSync(join(project, copy), text);
  return copy;
}

/**
 * The errors of each file.
 *
 * @param {string} project
 */
function errorsOf(project) {
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  const { stdout } = spawnSync(process.execPath, [tsc, '--pretty', 'false', '-p', project], {
    encoding: 'utf8',
  });
  /** @type {Map<string, string[]>} */
  const errors = new Map();
  for (const [, path = '', error = ''] of stdout.matchAll(/^(\S.*?)\(\d+,\d+\): error (.*)$/gm)) {
    const file = path.slice(Math.max(0, path.lastIndexOf('/src/') + 1));
    errors.set(file, [...(errors.get(file) ?? []), error]);
  }
  return errors;
}
