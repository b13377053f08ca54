import { EventEmitter } from 'node:events';
import { Box, type Instance, type RenderOptions, render, Text } from 'ink';
import { createElement, type ReactElement } from 'react';

/** Places lines one below the other. */
export interface Placed {
  place(lines: readonly string[]): void;
  /** Nothing is handed over any more. */
  end(): void;
}

/**
 * Ink, for placing text and nothing else: `onFrame` gets each finished frame, which the screen brings to the terminal
 * itself. Ink's own ways of doing that wipe the scrollback (CSI 3J) when a window has become too small, erase all lines
 * before they are drawn, or, drawing only what has changed, are off by one line.
 *
 * What Ink places are the numbers of the lines, and only when there are more or fewer than before: text it would take
 * apart into characters and put together again, which was three quarters of what a frame of 160 x 50 costs.
 */
export function placeWithInk(onFrame: (lines: readonly string[]) => void): Placed {
  let muted = false;
  /** For each row of the screen the number of the line that Ink has put there. */
  let rows: readonly number[] = [];
  let placed = -1;
  const stdout = Object.assign(new EventEmitter(), {
    // No terminal is so narrow that a number would be cut.
    columns: 80,
    isTTY: false,
    write(text: string): boolean {
      if (!muted) rows = text.split('\n').map(Number);
      return true;
    },
  });
  const stdin = Object.assign(new EventEmitter(), { isTTY: false });
  let ink: Instance | null = null;
  const options: RenderOptions = {
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stdout as unknown as NodeJS.WriteStream,
    stdin: stdin as unknown as NodeJS.ReadStream,
    exitOnCtrlC: false,
    patchConsole: false,
    // Frames are written as they are, with no movement of the cursor.
    debug: true,
  };
  return {
    place(lines) {
      if (muted) return;
      if (lines.length !== placed) {
        placed = lines.length;
        const frame = frameElement(placed);
        if (ink === null) ink = render(frame, options);
        else ink.rerender(frame);
      }
      onFrame(rows.map((at) => lines[at] ?? ''));
    },
    end() {
      muted = true;
      ink?.unmount();
    },
  };
}

/** One Text a line: a Box for each cell costs up to a quarter more. */
function frameElement(count: number): ReactElement {
  const lines = Array.from({ length: count }, (_, at) =>
    createElement(Text, { key: at, wrap: 'truncate' }, String(at)),
  );
  return createElement(Box, { flexDirection: 'column' }, lines);
}
