/** The global through which tapped code finds this module. */
export const TAP = Symbol.for('poolctl.postgres.js');

/** Text that all copies of postgres.js have, in whatever bundle. Cheap to look for. */
export const MARK = 'get parameters()';

/** Text that is put into the code, before this index of the code as it was. */
export interface Insertion {
  readonly at: number;
  readonly text: string;
}

/**
 * The insertions into the code of postgres.js, or of a bundle that contains it, in order; null if it is not there,
 * or has different internals. Its queues are variables of a function that nothing outside can reach: - `queues = {
 * connecting, reserved, closed, ended, open, busy, full }` passes through `tap.queues`, with its queue of waiting
 * queries, which is the first of its variables; - `Object.assign(sql, { get parameters() ...` gets its first
 * argument through `tap.sql`. The names may be those of a minifier. The function must not use anything outside of
 * itself, because Node's loader thread runs its text.
 */
export function insertions(code: string): readonly Insertion[] | null {
  const name = '[\\w$]+';
  const entry = (key: string): string => `${key}(?:\\s*:\\s*${name})?`;
  const keys = ['connecting', 'reserved', 'closed', 'ended', 'open', 'busy', 'full']
    .map(entry)
    .join('\\s*,\\s*');
  const others = `(?:\\s*,\\s*${name}\\s*=\\s*\\3\\(\\)){7}`;
  const queues = new RegExp(
    `((${name})\\s*=\\s*(${name})\\(\\)${others}\\s*,\\s*(${name})\\s*=\\s*)(\\{\\s*${keys}\\s*\\})`,
    'g',
  );
  const assign = new RegExp(`(Object\\.assign\\(\\s*)(${name})\\s*,\\s*\\{\\s*get parameters\\(\\)`, 'g');
  const tap = 'globalThis[Symbol.for("poolctl.postgres.js")]';
  const [made, assigned] = [[...code.matchAll(queues)], [...code.matchAll(assign)]];
  if (made.length === 0 || made.length !== assigned.length) return null;
  return made
    .flatMap(({ index, 0: all, 1: before = '', 2: queries, 4: variable }, n) => {
      const from = assigned[n]?.index ?? 0;
      const [, call = '', sql = ''] = assigned[n] ?? [];
      return [
        { at: index + before.length, text: `((q)=>${tap}?.queues(q,${queries})??q)(` },
        { at: index + all.length, text: ')' },
        { at: from + call.length, text: `(${tap}?.sql(` },
        { at: from + call.length + sql.length, text: `,${variable})??${sql})` },
      ];
    })
    .sort((one, other) => one.at - other.at);
}

/** The code with these texts in it. Must not use anything outside of itself, either. */
export function inserted(code: string, all: readonly Insertion[]): string {
  let text = '';
  let from = 0;
  for (const one of all) {
    text += code.slice(from, one.at) + one.text;
    from = one.at;
  }
  return text + code.slice(from);
}

/** The column, from 1, that a place had before these texts were put in; they hold no line breaks. */
export function columnBefore(
  code: string,
  all: readonly Insertion[],
  { line, column }: { readonly line: number; readonly column: number },
): number {
  let start = 0;
  for (let n = 1; n < line; n++) start = code.indexOf('\n', start) + 1;
  const end = code.indexOf('\n', start);
  let shift = 0;
  for (const { at, text } of all) {
    if (at < start || (end >= 0 && at > end) || at - start + shift >= column) continue;
    shift += text.length;
  }
  return Math.max(1, column - shift);
}
