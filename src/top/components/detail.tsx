import { counted } from '../../diagnosis/words.js';
import type { Line } from '../spans.js';
import { here, type State } from '../state.js';
import { Body } from './body.js';
import { TextLine } from './text-line.js';

interface DetailProps {
  readonly state: State;
  readonly lines: readonly Line[];
  readonly rows: number;
}

/** Text that scrolls: all about a lease or a backend, or the help. */
export function Detail({ state, lines, rows }: DetailProps) {
  const first = Math.max(0, Math.min(here(state).index, lines.length - rows));
  const shown = lines.slice(first, first + rows);
  const more = lines.length - shown.length;
  return (
    <Body rows={rows} hidden={more === 0 ? '' : `hidden: ${counted(more, 'line')} (Down, PgDn)`}>
      <TextLine line={[]} />
      {shown.map((line, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no identity but its place
        <TextLine key={at} line={line} />
      ))}
    </Body>
  );
}
