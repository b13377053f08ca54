import type { Placed } from './app.js';
import type { Size } from './state.js';

/** The terminal that the screen is on. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  /** Takes text at once. */
  tell(text: string): void;
}

export interface Screen {
  draw(lines: readonly string[]): void;
  /** To be called when the window has another size; the next frame is drawn from scratch. */
  resized(): void;
  /** Gives the terminal back as it was. To be called in any case, and may be called again. */
  close(): void;
}

/** The alternate screen, the cursor hidden, and no line that goes on in the next one. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l';
const CLEAR = '\x1b[2J\x1b[H';
/** Terminals that know it show what is between at once; others pass over it. */
const [BEGIN_UPDATE, END_UPDATE] = ['\x1b[?2026h', '\x1b[?2026l'];

/** Takes the terminal over, with the alternate screen, so that what was there before comes back. */
export function openScreen(terminal: Terminal): Screen {
  let ink: typeof import('./app.js') | null = null;
  let placed: Placed | null = null;
  let shown: readonly string[] = [];
  let closed = false;
  const onFrame = (lines: readonly string[]): void => {
    const changes = changesOf(shown, lines);
    shown = lines;
    if (!closed && changes !== '') terminal.tell(BEGIN_UPDATE + changes + END_UPDATE);
  };
  const restart = (): void => {
    if (closed) return;
    placed?.end();
    shown = [];
    terminal.tell(CLEAR);
    placed = ink?.placeWithInk(onFrame) ?? null;
  };
  terminal.tell(ENTER);
  restart();
  // Ink loads more than 500 modules. The first frame does not wait for that: its lines are shown as they are.
  void import('./app.js').then((loaded) => {
    ink = loaded;
    if (!closed) placed = ink.placeWithInk(onFrame);
  });
  return {
    draw: (lines) => (placed === null ? onFrame(lines) : placed.place(lines)),
    resized: restart,
    close() {
      if (closed) return;
      closed = true;
      placed?.end();
      terminal.tell(LEAVE);
    },
  };
}

export function sizeOf({ columns, rows }: Terminal): Size {
  return { columns, rows };
}

/** What to write so that a screen that shows `before` shows `after`: lines that are the same are left alone. */
function changesOf(before: readonly string[], after: readonly string[]): string {
  let text = '';
  for (let row = 0; row < Math.max(before.length, after.length); row++) {
    const line = after[row] ?? '';
    if (line !== before[row]) text += `\x1b[${row + 1};1H${line}\x1b[0m\x1b[K`;
  }
  return text;
}
