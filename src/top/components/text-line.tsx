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
 * each changed line, and it never forgets a text that it has measured: 36 MB an hour at one frame a second.
 */
export const TextLine = memo(
  function TextLine({ line }: TextLineProps) {
    const pen = usePen();
    const painted = paintLine(fitLine(line, pen.width, pen), pen.colors);
    return <Transform transform={() => painted}> </Transform>;
  },
  (one, other) => isSameLine(one.line, other.line),
);
