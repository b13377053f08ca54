import { closest } from '../base/closest.js';

/** One thing that the reference explains: an error, a check, a cause, a leak rule or a leak resource. */
export interface Entry {
  /** As the user writes it: `ERR_POOL_TIMEOUT`, `fleet-sum`, `lock-chain-row`. */
  readonly id: string;
  readonly kind: EntryKind;
  /** The text below the heading, in Markdown. */
  readonly body: string;
}

export type EntryKind = 'error' | 'check' | 'cause' | 'leak rule';

/** A page of the reference: each of its headings of this level is an entry, or the whole page is one. */
export interface Page {
  readonly kind: EntryKind;
  readonly text: string;
  readonly level: 1 | 2 | 3;
}

/** The entries of a page. Headings inside fences of code do not count. */
export function entriesOf({ kind, text, level }: Page): readonly Entry[] {
  const entries: { id: string; lines: string[] }[] = [];
  let isCode = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) isCode = !isCode;
    const [, marks = '', title = ''] = (isCode ? null : /^(#+) (.+)$/.exec(line)) ?? [];
    if (marks.length === level) entries.push({ id: idOf(title), lines: [] });
    // A heading above ends an entry: what follows belongs to none.
    else if (marks !== '' && marks.length < level) entries.push({ id: '', lines: [] });
    else entries.at(-1)?.lines.push(line);
  }
  return entries
    .filter(({ id }) => id !== '')
    .map(({ id, lines }) => ({ id, kind, body: lines.join('\n').trim() }));
}

/** The entries of that name, and if there is none the name that was probably meant. */
export function findEntries(
  entries: readonly Entry[],
  name: string,
): { readonly found: readonly Entry[]; readonly suggestion: string | null } {
  const wanted = idOf(name).toLowerCase();
  const found = entries.filter(({ id }) => id.toLowerCase() === wanted);
  const ids = entries.map(({ id }) => id);
  return { found, suggestion: found.length > 0 ? null : (partOf(ids, wanted) ?? closest(wanted, ids)) };
}

/** `timeout` means the first id that contains it, such as `ERR_POOL_TIMEOUT`, if it is long enough to say something. */
function partOf(ids: readonly string[], wanted: string): string | null {
  if (wanted.length < 4) return null;
  return (
    ids.find((id) => id.toLowerCase().includes(wanted.replaceAll(/[-_]/g, id.includes('_') ? '_' : '-'))) ??
    null
  );
}

function idOf(title: string): string {
  return title.trim().replaceAll(/\s+/g, '-');
}
