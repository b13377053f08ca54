import type { StressCheck } from './types.js';

/** Whether the events of each symbol come one after the other, each of them once. */
export class NumberCheck {
  readonly #numberOf: (data: unknown) => number;
  readonly #last = new Map<string, number>();
  #isOn = false;
  #seen = 0;
  #missing = 0;
  #twice = 0;

  constructor(numberOf: (data: unknown) => number) {
    this.#numberOf = numberOf;
  }

  begin(): void {
    this.#last.clear();
    this.#isOn = true;
  }

  tick(symbol: string, data: unknown): void {
    if (!this.#isOn) return;
    const number = this.#numberOf(data);
    const last = this.#last.get(symbol);
    this.#last.set(symbol, Math.max(number, last ?? number));
    this.#seen++;
    if (last === undefined || number === last + 1) return;
    if (number > last) this.#missing += number - last - 1;
    else this.#twice++;
  }

  end(): StressCheck {
    this.#isOn = false;
    return {
      name: 'no tick is missing, and none comes twice',
      ok: this.#missing === 0 && this.#twice === 0,
      detail: `${this.#missing} missing and ${this.#twice} twice among ${this.#seen}`,
    };
  }
}
