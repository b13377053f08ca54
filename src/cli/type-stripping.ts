import blankSpace from 'ts-blank-space';
import { ts } from 'ts-morph';

/**
 * The JavaScript of a TypeScript file: types become blanks, so that every line and column stays. That is what Node 22.18
 * and later do too, and it works the same on all versions. Throws for what is more than a type, such as an enum.
 */
export function stripTypes(source: string, path: string): string {
  const mistake = syntaxErrorIn(source, path);
  if (mistake !== null) throw mistake;
  const unsupported: number[] = [];
  const code = blankSpace(source, ({ pos }) => void unsupported.push(pos));
  const [first] = unsupported;
  if (first === undefined) return code;
  const [before = ''] = /^(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*/.exec(source.slice(first)) ?? [];
  const [text = ''] = source.slice(first + before.length).split('\n');
  throw errorAt(
    first + before.length,
    `poolctl only removes types, and this is more: ${text.slice(0, 60)}`,
    source,
    path,
  );
}

/** The text that the parser does not understand, with its place; null if there is none. Node names no place for modules. */
export function syntaxErrorIn(source: string, path: string): SyntaxError | null {
  const file: ts.SourceFile & { readonly parseDiagnostics?: readonly ts.DiagnosticWithLocation[] } =
    ts.createSourceFile(path, source, ts.ScriptTarget.ESNext);
  const [first] = file.parseDiagnostics ?? [];
  if (first === undefined) return null;
  const { messageText } = first;
  const message = typeof messageText === 'string' ? messageText : messageText.messageText;
  return errorAt(first.start, message.replace(/\.$/, ''), source, path);
}

function errorAt(offset: number, message: string, source: string, path: string): SyntaxError {
  const lines = source.slice(0, offset).split('\n');
  return new SyntaxError(`${path}:${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}: ${message}`);
}
