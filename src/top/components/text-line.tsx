import { Transform } from 'ink';
import { memo } from 'react';
import { fitLine, isSameLine, type Line, paintLine } from '../spans.js';
import { usePen } from './pen.js';

interface TextLineProps {
  readonly line: Line;
}

/**
 * One line of the screen, rendered again only if its text or style has changed.
 *
 * The text is a transformation of a blank, so that Ink never measures it: Ink 6 would lay the whole screen out again for
 * each changed line, and it keeps every text that it has measured for good, some 50 MB an hour.
 */
export const TextLine = memo(
  function TextLine({ line }: TextLineProps) {
    const pen = usePen();
    const painted = paintLine(fitLine(line, pen.width, pen), pen.colors);
    return <Transform transform={() => painted}> </Transform>;
  },
  (one, other) => isSameLine(one.line, other.line),
);
