/** The code cells of a notebook, one after the other, and where each character stands in the file. */
export interface NotebookCode {
  readonly text: string;
  /** The position in the file that a position of the code comes from. */
  toFile(position: number): number;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;

interface Cell {
  kind: string;
  /** The strings of the source, quotation marks included. */
  readonly source: { readonly from: number; readonly to: number }[];
}

/**
 * Reads the code cells of a notebook of nbformat 3 or 4. What is for IPython alone (`%matplotlib inline`, `!pip install`,
 * cells in other languages) becomes a comment. A notebook of another language, and a text that is no notebook, has none.
 */
export function notebookCode(file: string): NotebookCode {
  const { cells, language } = cellsOf(file);
  const parts: string[] = [];
  const starts: number[] = [];
  const origins: number[] = [];
  let length = 0;
  const put = (text: string, origin: number): void => {
    starts.push(length);
    origins.push(origin);
    parts.push(text);
    length += text.length;
  };
  for (const { kind, source } of cells) {
    if (kind !== 'code' || !/^i?python/i.test(language)) continue;
    const decoded: string[] = [];
    const first = length;
    for (const { from, to } of source) decoded.push(...decode(file, from + 1, to - 1, put));
    const readable = withoutMagic(decoded.join(''));
    parts.splice(parts.length - decoded.length, decoded.length, ...inPieces(readable, decoded));
    if (length > first) put('\n', source.at(-1)?.to ?? 0);
  }
  return {
    text: parts.join(''),
    toFile(position) {
      let [low, high] = [0, starts.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((starts[middle] as number) <= position) low = middle + 1;
        else high = middle;
      }
      const at = low - 1;
      return at < 0 ? 0 : (origins[at] as number) + position - (starts[at] as number);
    },
  };
}

/** A line of a notebook as the author wrote it: without the string around it. */
export function lineOfNotebook(line: string): string {
  const found = /^\s*("(?:[^"\\]|\\.)*"),?\s*$/.exec(line)?.[1];
  if (found === undefined) return line;
  try {
    return String(JSON.parse(found)).replace(/\r?\n$/, '');
  } catch {
    return line;
  }
}

function cellsOf(file: string): { readonly cells: readonly Cell[]; readonly language: string } {
  const cells: Cell[] = [];
  let language = 'python';
  // For each object or array around: the name of the value that is read in it.
  const path: string[] = [];
  let name: string | null = null;
  for (const { 0: token, index } of file.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      path.push(name ?? '');
      if (token === '{' && path.at(-2) === 'cells') cells.push({ kind: '', source: [] });
      name = null;
    } else if (token === '}' || token === ']') {
      path.pop();
      name = null;
    } else if (token === ',') name = null;
    else if (token === ':' || !token.startsWith('"')) continue;
    else if (name === null && isName(file, index + token.length)) name = token.slice(1, -1);
    else {
      const cell = cells.at(-1);
      const key = name ?? path.at(-1);
      const above = path.at(name === null ? -3 : -2);
      if (cell !== undefined && above === 'cells') {
        if (key === 'cell_type') cell.kind = token.slice(1, -1);
        if (key === 'source' || key === 'input') cell.source.push({ from: index, to: index + token.length });
      }
      if (name === 'name' && path.at(-1) === 'language_info') language = token.slice(1, -1);
    }
  }
  return { cells, language };
}

function isName(file: string, from: number): boolean {
  for (let at = from; at < file.length; at++) if (!/\s/.test(file[at] as string)) return file[at] === ':';
  return false;
}

/** Reads the inside of a string of JSON; gives the pieces, each of which stands in the file as it is or is one escape. */
function decode(
  file: string,
  from: number,
  to: number,
  put: (text: string, origin: number) => void,
): string[] {
  const pieces: string[] = [];
  const add = (text: string, origin: number): void => {
    if (text === '') return;
    pieces.push(text);
    put(text, origin);
  };
  let start = from;
  for (let at = from; at < to; at++) {
    if (file[at] !== '\\') continue;
    add(file.slice(start, at), start);
    const isLong = file[at + 1] === 'u';
    const end = at + (isLong ? 6 : 2);
    add(JSON.parse(`"${file.slice(at, end)}"`) as string, at);
    start = end;
    at = end - 1;
  }
  add(file.slice(start, to), start);
  return pieces;
}

/** A text of the same length, cut into pieces of the same lengths. */
function inPieces(text: string, pieces: readonly string[]): string[] {
  let at = 0;
  return pieces.map(({ length }) => {
    at += length;
    return text.slice(at - length, at);
  });
}

const CELL_MAGIC = /^\s*%%(?!(time|timeit|capture|prun)\b)/;
const LINE_MAGIC = /^([ \t]*)[%!?](?=[^\n]*)|^([ \t]*)\w(?=[\w.]*\?{1,2}[ \t]*$)/gm;

/** The same text for Python, at the same positions. */
function withoutMagic(text: string): string {
  if (CELL_MAGIC.test(text)) return text.replace(/^[^\n]/gm, '#');
  return text
    .replace(LINE_MAGIC, (_, before: string | undefined, other: string | undefined) => `${before ?? other}#`)
    .replace(/(=[ \t]*)[!%][^\n]/g, '$10#');
}
