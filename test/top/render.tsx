import { renderToString } from 'ink';
import { Screen } from '../../src/top/components/app.js';
import type { State } from '../../src/top/state.js';
import type { ScreenDrawing } from '../../src/top/store.js';

/** The lines of the screen in a state, as Ink renders them. */
export function frameOf(state: State, drawing: ScreenDrawing): string[] {
  const { columns } = state.size;
  return renderToString(<Screen state={state} drawing={drawing} />, { columns }).split('\n');
}
