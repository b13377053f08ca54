import { Box } from 'ink';
import type { ReactNode } from 'react';
import { TextLine } from './text-line.js';

interface BodyProps {
  /** Without the head. */
  readonly rows: number;
  /** Names what had no room. */
  readonly hidden: string;
  readonly children: ReactNode;
}

/** The part between the title and the status line: always of one height, with a last line for what is hidden. */
export function Body({ rows, hidden, children }: BodyProps) {
  return (
    <>
      <Box flexDirection="column" height={rows + 1} flexShrink={0}>
        {children}
      </Box>
      <TextLine line={[{ text: hidden, tone: 'faint' }]} />
    </>
  );
}
