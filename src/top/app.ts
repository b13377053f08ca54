import { EventEmitter } from 'node:events';
import { Box, type Instance, type RenderOptions, render, Text } from 'ink';
import { createElement, type ReactElement } from 'react';

/** Places lines within a width. */
export interface Placed {
  place(lines: readonly string[]): void;
  /** Nothing is handed over any more. */
  end(): void;
}

/**
 * Ink, for placing text and nothing else: `onFrame` gets each finished frame, which the screen brings to the terminal
 * itself. Ink's own ways of doing that wipe the scrollback (CSI 3J) when a window has become too small, erase all lines
 * before they are drawn, or, drawing only what has changed, are off by one line.
 */
export function placeWithInk(columns: number, onFrame: (lines: readonly string[]) => void): Placed {
  let muted = false;
  const stdout = Object.assign(new EventEmitter(), {
    columns,
    isTTY: false,
    write(text: string): boolean {
      if (!muted) onFrame(text.split('\n'));
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
      const frame = frameElement(lines);
      if (ink === null) ink = render(frame, options);
      else ink.rerender(frame);
    },
    end() {
      muted = true;
      ink?.unmount();
    },
  };
}

/** One Text a line: a Box for each cell costs up to a quarter more. */
function frameElement(lines: readonly string[]): ReactElement {
  return createElement(
    Box,
    { flexDirection: 'column' },
    // An empty Text would have no height.
    lines.map((line, at) => createElement(Text, { key: at, wrap: 'truncate' }, line === '' ? ' ' : line)),
  );
}
