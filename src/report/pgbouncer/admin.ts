import { formatMs } from '../../base/units.js';
import type { Blocker } from '../../pgbouncer/blockers.js';
import type { PauseResult } from '../../pgbouncer/pause.js';
import type { ReloadResult } from '../../pgbouncer/reload.js';
import { palette } from '../color.js';
import type { RenderOptions } from '../render-options.js';
import { tableLines } from '../table.js';
import { printable } from '../text.js';

/** The result of a command to the console. */
export type AdminResult =
  | ({ readonly schema: 1; readonly kind: 'pause' } & PauseResult)
  | ({ readonly schema: 1; readonly kind: 'reload' } & ReloadResult)
  | { readonly schema: 1; readonly kind: 'done'; readonly command: string; readonly said: string };

export function renderText(result: AdminResult, options: RenderOptions): string {
  switch (result.kind) {
    case 'pause':
      return pauseText(result, options);
    case 'reload':
      return reloadText(result, options);
    case 'done':
      return `${printable(result.said)}\n`;
  }
}

function pauseText(result: PauseResult, options: RenderOptions): string {
  const paint = palette(options);
  const { verb, database, end, waitedMs, heldMs, resumedBefore, blockers } = result;
  const scope = database === null ? 'the pooler' : `'${printable(database)}'`;
  if (heldMs !== null) {
    const what = verb === 'KILL' ? `all connections of ${scope} were dropped` : `${scope} was paused`;
    const by = resumedBefore
      ? 'somebody else had resumed it'
      : `it was resumed${end === 'interrupted' ? ' as this was interrupted' : ''}`;
    return `${what} after ${formatMs(waitedMs)}, for ${formatMs(heldMs)}; ${by}\n`;
  }
  const why = end === 'stopped' ? 'interrupted' : 'given up';
  const lines = [
    `${paint.bad('NOT PAUSED')}: ${why} after ${formatMs(waitedMs)}; ${scope} goes on as before`,
    ...(blockers.length === 0 ? ['nobody blocks it any more'] : blockerLines(blockers, paint.faint)),
  ];
  return `${lines.join('\n')}\n`;
}

function blockerLines(blockers: readonly Blocker[], faint: (text: string) => string): string[] {
  return [
    `${blockers.length === 1 ? '1 server is' : `${blockers.length} servers are`} in use:`,
    ...tableLines(
      blockers,
      [
        { title: 'database', cell: ({ database }) => printable(database) },
        { title: 'user', cell: ({ user }) => printable(user) },
        { title: 'backend', align: 'right', cell: ({ backendPid }) => String(backendPid ?? '-') },
        { title: 'state', cell: ({ state }) => printable(state) },
        { title: 'client', cell: ({ client }) => printable(client?.address ?? '-') },
        { title: 'application', cell: ({ client }) => printable(client?.application ?? '-') },
        { title: 'last asked', cell: ({ client }) => printable(client?.since ?? '-') },
      ],
      { indent: '  ', title: faint },
    ),
  ];
}

function reloadText(result: ReloadResult, options: RenderOptions): string {
  const paint = palette(options);
  const { changes, notTaken, file, notCompared } = result;
  const verdict =
    notTaken.length > 0
      ? `${paint.bad('NOT ALL TAKEN')}: ${notTaken.length} of what ${printable(file ?? '')} says is not in force`
      : file === null
        ? `${paint.warn('reloaded')}, and not compared with its file: ${printable(notCompared ?? '')}`
        : `${paint.good('reloaded')}: all that ${printable(file)} sets is in force`;
  const value = (text: string | null): string =>
    text === null ? '(none)' : text === '' ? '(empty)' : printable(text);
  const lines = [verdict];
  if (notTaken.length > 0)
    lines.push(
      ...tableLines(
        notTaken,
        [
          { title: 'setting', cell: ({ what }) => printable(what) },
          { title: 'file', cell: (one) => value(one.file) },
          { title: 'in force', cell: ({ inForce }) => value(inForce) },
          { title: 'why', cell: ({ why }) => why },
        ],
        { indent: '  ', title: paint.faint },
      ),
    );
  lines.push(changes.length === 0 ? 'nothing changed' : 'changed:');
  if (changes.length > 0)
    lines.push(
      ...tableLines(
        changes,
        [
          { title: 'setting', cell: ({ what }) => printable(what) },
          { title: 'before', cell: ({ before }) => value(before) },
          { title: 'after', cell: ({ after }) => value(after) },
        ],
        { indent: '  ', title: paint.faint },
      ),
    );
  return `${lines.join('\n')}\n`;
}
