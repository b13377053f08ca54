import { render } from 'ink';
import type { ScreenDrawing, Store } from '../store.js';
import { App } from './app.js';

export interface MountOptions {
  readonly store: Store;
  readonly drawing: ScreenDrawing;
  readonly stdout: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  /** A component has thrown. */
  onError(error: unknown): void;
}

/** Renders the screen with Ink until the returned function is called. */
export function mount({ store, drawing, stdout, stdin, onError }: MountOptions): () => void {
  const ink = render(<App store={store} drawing={drawing} />, {
    stdout,
    stderr: stdout,
    stdin,
    // Ctrl-C is a key like others: `q` and Ctrl-C end the screen in the reducer.
    exitOnCtrlC: false,
    patchConsole: false,
    // Whole frames, as soon as they are ready: see openScreen.
    debug: true,
  });
  ink.waitUntilExit().catch(onError);
  return () => ink.unmount();
}
