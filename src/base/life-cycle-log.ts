/** Something with a name whose life is told in events. `on` returns the way to stop listening. */
export interface LivingSource<E> {
  readonly name: string;
  on<N extends keyof E & string>(event: N, listener: (payload: E[N]) => void): () => void;
}

/** What is written of each event; nothing of those that are not named. */
export type Words<E> = { readonly [N in keyof E]?: (payload: E[N]) => string };

/** Writes a line for each event that `words` names, with the name of the source. Returns the way to stop. */
export function logEvents<E>(
  source: LivingSource<E>,
  words: Words<E>,
  write: (line: string) => void,
): () => void {
  const stops = (Object.keys(words) as (keyof E & string)[]).map((event) =>
    source.on(event, (payload) => write(`pool '${source.name}': ${words[event]?.(payload)}`)),
  );
  return () => {
    for (const stop of stops) stop();
  };
}
