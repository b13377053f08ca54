import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bin.js';

/** A text for people in the repository. */
export interface Document {
  /** Relative to the root, with slashes. */
  readonly name: string;
  readonly text: string;
}

/** Folders without documents of this repository. */
const SKIPPED = ['node_modules', '.vitepress', 'api'];

/** Every Markdown file of the repository, but those of packages and of fixtures. */
export const documents: readonly Document[] = [
  ...markdownIn('', { deep: false }),
  ...['docs', 'examples', '.github'].flatMap((folder) => markdownIn(folder, { deep: true })),
].map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));

/** Links are not followed: the packages of an example link back to the repository. */
function markdownIn(folder: string, { deep }: { readonly deep: boolean }): string[] {
  const at = join(root, folder);
  if (!existsSync(at)) return [];
  return readdirSync(at, { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return deep && !SKIPPED.includes(entry.name) ? markdownIn(path, { deep }) : [];
    return entry.isFile() && entry.name.endsWith('.md') ? [path] : [];
  });
}

/** One that must be there. */
export function documentOf(name: string): string {
  const found = documents.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no document ${name}`);
  return found.text;
}

export interface Fence {
  readonly language: string;
  readonly code: string;
}

export function fencesOf(text: string): Fence[] {
  const fences = text.matchAll(/^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm);
  return [...fences].map(([, language = '', code = '']) => ({ language, code }));
}

/** Shell text of a document: what a user would type. Of a `text` or `console` fence these are the lines behind `$ `. */
export function shellOf(text: string): string[] {
  return fencesOf(text).flatMap(({ language, code }) => {
    if (['sh', 'bash'].includes(language)) return [code];
    return ['text', 'console'].includes(language) && /^\$ /m.test(code)
      ? [(code.replaceAll(/\\\n\s*/g, ' ').match(/^\$ .*$/gm) ?? []).map((line) => line.slice(2)).join('\n')]
      : [];
  });
}

/** The words of each command line of poolctl in shell text, without `poolctl` itself. */
export function commandLines(code: string): string[][] {
  const lines: string[][] = [];
  let words: string[] = [];
  const end = () => {
    const at = words.indexOf('poolctl');
    const isRun = at === 0 || (at === 1 && words[0] === 'npx');
    if (isRun) lines.push(words.slice(at + 1));
    words = [];
  };
  const tokens = code
    .replaceAll(/\\\n\s*/g, ' ')
    .matchAll(/((?:[^\s;&|<>()'"#]|'[^'\n]*'|"[^"\n]*"|(?<=\S)#)+)|(\n|&&|\|\||[;|()&]|\d?[<>]+\S*)|#.*|\s/g);
  for (const [, word, operator] of tokens) {
    if (word !== undefined) words.push(unquoted(word));
    else if (operator !== undefined) {
      // What follows a redirection is a file, and belongs to no command.
      if (/^\d?[<>]/.test(operator)) words.push('>');
      else end();
    }
  }
  end();
  return lines.map((line) => (line.includes('>') ? line.slice(0, line.indexOf('>')) : line));
}

function unquoted(word: string): string {
  return word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double ?? '');
}
