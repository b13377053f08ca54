import { ts } from 'ts-morph';

/** The code of a component file: of the same length as the file, so that every position is the same in both. */
export interface Script {
  readonly text: string;
  readonly kind: ts.ScriptKind;
}

const MARKUP = /\.(vue|svelte|astro)$/;

export function isMarkup(path: string): boolean {
  return MARKUP.test(path);
}

/** The scripts of a .vue, .svelte or .astro file; everything else becomes blanks. */
export function scriptOf(path: string, source: string): Script {
  const parts = partsOf(path, source);
  let text = '';
  let at = 0;
  for (const { start, end } of parts) {
    text += blank(source.slice(at, start)) + source.slice(start, end);
    at = end;
  }
  return { text: text + blank(source.slice(at)), kind: kindOf(parts.map(({ lang }) => lang)) };
}

/** One language reads all scripts of a file: the one that takes the most. Type assertions with <> need plain TypeScript. */
function kindOf(languages: readonly string[]): ts.ScriptKind {
  if (languages.includes('tsx')) return ts.ScriptKind.TSX;
  return languages.some((one) => one === 'ts' || one === 'typescript') ? ts.ScriptKind.TS : ts.ScriptKind.JSX;
}

interface Part {
  readonly start: number;
  readonly end: number;
  readonly lang: string;
}

function partsOf(path: string, source: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  if (path.endsWith('.astro')) {
    const fence = /^\uFEFF?\s*---[^\S\n]*\r?\n/.exec(source);
    const close = fence === null ? null : /^---[^\S\n]*(?:\r?\n|$)/m.exec(source.slice(fence[0].length));
    if (fence !== null && close !== null) {
      from = fence[0].length + close.index;
      parts.push({ start: fence[0].length, end: from, lang: 'ts' });
      from += close[0].length;
    }
  }
  // Comments, styles and other tags are passed in one piece, so that a tag within them is none.
  const tags =
    /<!--[\s\S]*?-->|<style\b[\s\S]*?<\/style\s*>|<script\b((?:"[^"]*"|'[^']*'|[^'">])*)>|<[a-z](?:"[^"]*"|'[^']*'|[^'"<>])*>/gi;
  tags.lastIndex = from;
  for (let tag = tags.exec(source); tag !== null; tag = tags.exec(source)) {
    const [all, attributes] = tag;
    if (attributes === undefined || /\/\s*$/.test(attributes)) continue;
    const start = tag.index + all.length;
    const close = /<\/script\s*>/i.exec(source.slice(start));
    const end = close === null ? source.length : start + close.index;
    if (isCode(attributes)) parts.push({ start, end, lang: languageOf(path, attributes) });
    tags.lastIndex = end;
  }
  return parts;
}

function isCode(attributes: string): boolean {
  const type = attributeOf(attributes, 'type');
  return (
    type === null || /^(module|(text|application)\/(java|type|ecma)script|text\/(ts|babel|jsx))$/i.test(type)
  );
}

/** The scripts of Astro are TypeScript unless they are left to the browser. */
function languageOf(path: string, attributes: string): string {
  const lang =
    attributeOf(attributes, 'lang') ??
    (/typescript|\/ts$/i.test(attributeOf(attributes, 'type') ?? '') ? 'ts' : null);
  return (lang ?? (path.endsWith('.astro') ? 'ts' : 'js')).toLowerCase();
}

function attributeOf(attributes: string, name: string): string | null {
  const found = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(
    attributes,
  );
  return found === null ? null : (found[1] ?? found[2] ?? found[3] ?? '');
}

function blank(text: string): string {
  return text.replace(/[^\r\n]/g, ' ');
}
