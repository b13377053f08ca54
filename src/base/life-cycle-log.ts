/** An object with a name that reports its life in events. `on` returns a function that stops listening. */
export interface LivingSource<E> {
  readonly name: string;
  on<N extends keyof E & string>(event: N, listener: (payload: E[N]) => void): () => void;
}

/** The text for each event. Events without an entry are not written. */
export type Words<E> = { readonly [N in keyof E]?: (payload: E[N]) => string };

/** Writes a line for each event that `words` names, with the name of the source. Returns a function that stops it. */
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
