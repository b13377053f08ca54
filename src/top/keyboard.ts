import { Readable } from 'node:stream';
import type { Clock, Timer } from '../base/clock.js';
import { ESC, ESC_KEY, splitInput } from './keys.js';

/** The terminal in raw mode: hands over what is typed until the returned function is called. */
export interface Keyboard {
  listen(onText: (text: string) => void): () => void;
}

export interface KeyInput {
  /** The stream from which Ink reads keys, one key per chunk. */
  readonly stdin: NodeJS.ReadStream;
  /** Ends raw mode. */
  close(): void;
}

/** An ESC that nothing follows within this time is the Esc key: a read may end within a sequence. */
const ESC_MS = 25;

/** Listens from now on, not only once Ink has loaded: keys wait in the stream, and nothing typed is echoed. */
export function openKeys(keyboard: Keyboard, clock: Clock): KeyInput {
  const keys = new Readable({ objectMode: true, read() {} });
  let rest = '';
  let escTimer: Timer | null = null;
  const stop = keyboard.listen((text) => {
    escTimer?.cancel();
    const split = splitInput(rest + text);
    rest = split.rest;
    for (const input of split.inputs) keys.push(input);
    if (rest === ESC) escTimer = clock.setTimer(onEsc, ESC_MS);
  });
  const onEsc = (): void => {
    rest = '';
    keys.push(ESC_KEY);
  };
  const terminal = {
    isTTY: true,
    // The keyboard is in raw mode and decodes already. Node's setEncoding would join all waiting chunks.
    setRawMode: () => keys,
    setEncoding: () => keys,
    ref: () => keys,
    unref: () => keys,
  };
  return {
    stdin: Object.assign(keys, terminal) as unknown as NodeJS.ReadStream,
    close() {
      escTimer?.cancel();
      stop();
      keys.destroy();
    },
  };
}
