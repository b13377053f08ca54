import { widthOf } from '../../report/text.js';
import { BINDINGS } from '../keys.js';
import type { Line, Span } from '../spans.js';
import type { State } from '../state.js';
import { cellText } from '../words.js';
import { type Pen, usePen } from './pen.js';
import { TextLine } from './text-line.js';

/** The open prompt, or the outcome of the last key, or the most important keys. */
export function StatusLine({ prompt, notice }: Pick<State, 'prompt' | 'notice'>) {
  const pen = usePen();
  if (prompt?.kind === 'filter') return <TextLine line={filterLine(prompt.text, pen)} />;
  if (prompt?.kind === 'confirm') {
    const { verb, pid, user, database } = prompt.action;
    const what = verb === 'cancel' ? 'Cancel' : 'End';
    const text = `${what} backend ${pid} (${user ?? '?'}@${database ?? '?'})? y: yes, else: no`;
    return <TextLine line={[{ text, tone: 'bad' }]} />;
  }
  if (notice !== null) return <TextLine line={[{ text: notice.words, tone: notice.tone }]} />;
  return <TextLine line={hintLine(pen.width)} />;
}

function filterLine(typed: string, pen: Pen): Line {
  const text = cellText(`/${typed}`, pen.width - 1, pen);
  return [
    { text, tone: 'strong' },
    { text: '_' },
    { text: '  Enter keeps it, Esc drops it, ! inverts', tone: 'faint' },
  ];
}

/** As many keys as have room. */
function hintLine(width: number): Line {
  const line: Span[] = [];
  let used = 0;
  for (const { shown, hint } of BINDINGS) {
    if (hint === undefined) continue;
    const [key = ''] = shown.split(' ');
    const gap = used === 0 ? '' : '  ';
    const needed = widthOf(`${gap}${key} ${hint}`);
    if (used + needed > width) break;
    line.push({ text: gap }, { text: key, tone: 'name' }, { text: ` ${hint}` });
    used += needed;
  }
  return line;
}
