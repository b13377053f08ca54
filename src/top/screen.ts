import { EventEmitter } from 'node:events';
import type { Size } from './state.js';

/** The terminal that the screen is on. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  /** Takes text at once. */
  tell(text: string): void;
  onResize(listener: () => void): () => void;
}

export interface Screen {
  /** The stream to which Ink writes its frames. Emits `resize`. */
  readonly stdout: NodeJS.WriteStream;
  /** Gives the terminal back as it was. To be called in any case, and may be called again. */
  close(): void;
}

/** The alternate screen, the cursor hidden, and no line that goes on in the next one. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l';
const CLEAR = '\x1b[2J\x1b[H';
/** Terminals that support it show everything between at once; others ignore it. */
const [BEGIN_UPDATE, END_UPDATE] = ['\x1b[?2026h', '\x1b[?2026l'];

/**
 * Takes the terminal over, with the alternate screen, so that what was there before comes back. Ink renders whole frames
 * (its option `debug`), and the changed lines of each reach the terminal. Ink's own ways of writing erase all lines
 * before each frame, or, with `incrementalRendering`, start one line too low unless the frame has the height of the
 * terminal, where Ink wipes the scrollback with every frame.
 */
export function openScreen(terminal: Terminal): Screen {
  const stdout = new Frames(terminal);
  const stopResize = terminal.onResize(() => {
    terminal.tell(CLEAR);
    stdout.forget();
    stdout.emit('resize');
  });
  terminal.tell(ENTER + CLEAR);
  let closed = false;
  return {
    stdout: stdout as unknown as NodeJS.WriteStream,
    close() {
      if (closed) return;
      closed = true;
      stopResize();
      stdout.end();
      terminal.tell(LEAVE);
    },
  };
}

/** As much of a stream of a terminal as Ink uses. */
class Frames extends EventEmitter {
  readonly isTTY = true;
  readonly #terminal: Terminal;
  #shown: readonly string[] = [];
  #ended = false;

  constructor(terminal: Terminal) {
    super();
    this.#terminal = terminal;
  }

  get columns(): number {
    return this.#terminal.columns;
  }

  get rows(): number {
    return this.#terminal.rows;
  }

  write(frame: string): boolean {
    // A frame is never empty: Ink has nothing to clear here.
    if (this.#ended || frame === '') return true;
    const lines = frame.split('\n').slice(0, this.rows);
    const changes = changesOf(this.#shown, lines);
    this.#shown = lines;
    if (changes !== '') this.#terminal.tell(BEGIN_UPDATE + changes + END_UPDATE);
    return true;
  }

  /** The terminal shows nothing any more. */
  forget(): void {
    this.#shown = [];
  }

  end(): void {
    this.#ended = true;
  }
}

export function sizeOf({ columns, rows }: Size): Size {
  return { columns, rows };
}

/** The bytes that turn a screen with `before` into one with `after`. Equal lines are left alone. */
function changesOf(before: readonly string[], after: readonly string[]): string {
  let text = '';
  for (let row = 0; row < Math.max(before.length, after.length); row++) {
    const line = after[row] ?? '';
    if (line !== before[row]) text += `\x1b[${row + 1};1H${line}\x1b[0m\x1b[K`;
  }
  return text;
}
