/**
 * Names the processes of applications: `orders/1`, `orders/2`. A number that has become free is given again, so that an
 * application that is restarted goes on in the series that it had.
 */
export class Instances {
  readonly #taken = new Map<string, { readonly app: string; readonly number: number }>();

  /** The process at this address. Its application is null until it has been read. */
  labelOf(address: string, app: string | null): string {
    let known = this.#taken.get(address);
    if (known === undefined || (app !== null && known.app === UNKNOWN)) {
      this.#taken.delete(address);
      known = { app: app ?? UNKNOWN, number: this.#freeNumber(app ?? UNKNOWN) };
      this.#taken.set(address, known);
    }
    return `${known.app}/${known.number}`;
  }

  /** The process has ended. */
  gone(address: string): void {
    this.#taken.delete(address);
  }

  #freeNumber(app: string): number {
    const numbers = new Set(
      [...this.#taken.values()].filter((one) => one.app === app).map(({ number }) => number),
    );
    let number = 1;
    while (numbers.has(number)) number++;
    return number;
  }
}

const UNKNOWN = 'unknown';
