/** Text that is put together from pieces, each of which comes from a place of the original. */
export class Writer {
  readonly #source: string;
  readonly #parts: string[] = [];
  #length = 0;
  /** The positions of the pieces in the text, ascending, and those in the original. */
  readonly #starts: number[] = [];
  readonly #origins: number[] = [];
  /** How many characters are the same in both. */
  readonly #same: number[] = [];
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** Sets the position of the original that the next piece comes from. */
  from(position: number): void {
    this.#at = position;
  }

  /** Writes text that the original does not have. */
  put(text: string): void {
    this.#add(text, this.#at, 0);
  }

  /** Writes a part of the original as it is. */
  copy(from: number, to: number): void {
    this.#add(this.#source.slice(from, to), from, to - from);
    this.#at = to;
  }

  /** Writes text for a part of the original, such as `this` for `self`. */
  stand(text: string, from: number, to: number): void {
    this.#add(text, from, 0);
    this.#at = to;
  }

  #add(text: string, origin: number, same: number): void {
    if (text === '') return;
    this.#starts.push(this.#length);
    this.#origins.push(origin);
    this.#same.push(same);
    this.#parts.push(text);
    this.#length += text.length;
  }

  finish(): { readonly text: string; readonly toSource: (position: number) => number } {
    const [starts, origins, same] = [this.#starts, this.#origins, this.#same];
    return {
      text: this.#parts.join(''),
      toSource(position) {
        let [low, high] = [0, starts.length];
        while (low < high) {
          const middle = (low + high) >> 1;
          if ((starts[middle] as number) <= position) low = middle + 1;
          else high = middle;
        }
        const index = low - 1;
        if (index < 0) return 0;
        const within = position - (starts[index] as number);
        return (origins[index] as number) + Math.min(within, same[index] as number);
      },
    };
  }
}
