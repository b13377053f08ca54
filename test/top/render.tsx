import { EventEmitter } from 'node:events';
import { render, renderToString } from 'ink';
import { Screen } from '../../src/top/components/app.js';
import type { State } from '../../src/top/state.js';
import type { ScreenDrawing } from '../../src/top/store.js';

/** The lines of the screen in a state, as Ink renders them. */
export function frameOf(state: State, drawing: ScreenDrawing): string[] {
  const { columns } = state.size;
  return renderToString(<Screen state={state} drawing={drawing} />, { columns }).split('\n');
}

export interface Rendering {
  /** Renders the next state. */
  show(state: State): void;
  end(): void;
}

/** A screen that goes from state to state. */
export function startRendering(first: State, drawing: ScreenDrawing): Rendering {
  const stream = Object.assign(new EventEmitter(), { ...first.size, isTTY: false, write: () => true });
  const stdout = stream as unknown as NodeJS.WriteStream;
  const screen = (state: State) => <Screen state={state} drawing={drawing} />;
  const ink = render(screen(first), { stdout, stderr: stdout, debug: true, patchConsole: false });
  return { show: (state) => ink.rerender(screen(state)), end: () => ink.unmount() };
}
