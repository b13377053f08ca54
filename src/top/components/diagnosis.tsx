import { Box } from 'ink';
import { type Diagnosis as Judgment, NOTHING_READ } from '../../diagnosis/diagnose.js';
import { wrap } from '../../report/text.js';
import type { Tone } from '../spans.js';
import { usePen } from './pen.js';
import { TextLine } from './text-line.js';

interface DiagnosisProps {
  /** null before the first reading. */
  readonly diagnosis: Judgment | null;
  readonly rows: number;
}

/** The problem and its cause, in a fixed number of rows. */
export function Diagnosis({ diagnosis, rows }: DiagnosisProps) {
  const { width } = usePen();
  const { severity, words } = diagnosis ?? NOTHING_READ;
  const tone: Tone = severity === 'none' ? 'faint' : severity;
  const mark = { good: 'OK', warn: '!', bad: '!!', none: '..' }[severity];
  const wrapped = wrap(`${mark} ${words}`, width);
  const last = wrapped.slice(rows - 1).join(' ');
  const lines = [...wrapped.slice(0, rows - 1), last].slice(0, rows);
  return (
    <Box flexDirection="column" height={rows} flexShrink={0}>
      {lines.map((text, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no identity but its place
        <TextLine key={at} line={[{ text, tone }]} />
      ))}
    </Box>
  );
}
