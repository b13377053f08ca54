/** Reads field after field. Notes when one cannot be read; what follows is then of no interest. */
export class FieldReader {
  readonly version: number;
  failed = false;
  readonly #fields: readonly string[];
  /** The field after the type of the message. */
  #next = 1;

  constructor(fields: readonly string[], version: number) {
    this.#fields = fields;
    this.version = version;
  }

  text(): string {
    const field = this.#fields[this.#next++];
    if (field === undefined) this.failed = true;
    return field ?? '';
  }

  /** Empty where the client leaves the field out. */
  optional(): string {
    return this.#fields[this.#next++] ?? '';
  }

  /** A number that the client may leave empty or set to one of the protocol's values for "unset"; null then. */
  unsettable(): number | null {
    const text = this.optional();
    const value = Number(text);
    return text === '' || !Number.isFinite(value) || value > 1e300 ? null : value;
  }

  /** Empty means 0. */
  integer(): number {
    const text = this.text();
    const value = text === '' ? 0 : wholeNumber(text);
    if (value === null) this.failed = true;
    return value ?? 0;
  }

  number(): number {
    const value = Number(this.text());
    if (!Number.isFinite(value)) this.failed = true;
    return value;
  }

  flag(): boolean {
    return isTrue(this.text());
  }

  /** As `flag`, of a field that the client may leave out. */
  optionalFlag(whenAbsent: boolean): boolean {
    const text = this.optional();
    return text === '' ? whenAbsent : isTrue(text);
  }

  skip(fields: number): void {
    if (fields < 0 || this.#next + fields > this.#fields.length) this.failed = true;
    else this.#next += fields;
  }

  /** Passes over fields that the client may leave out. */
  pass(fields: number): void {
    this.#next += Math.max(0, fields);
  }

  /** A count and as many groups of `width` optional fields. */
  passGroups(width: number): number {
    const count = Math.min(wholeNumber(this.optional()) ?? 0, MOST_GROUPS);
    this.pass(count * width);
    return Math.max(0, count);
  }
}

/** No order has more legs, parameters or conditions. */
const MOST_GROUPS = 1000;

/** A signed number of 32 bits, as all whole numbers that the gateway reads; null for anything else. */
export function wholeNumber(text: string | undefined): number | null {
  if (text === undefined || !/^-?\d{1,10}$/.test(text)) return null;
  const value = Number(text);
  return Math.abs(value) < 2 ** 31 ? value : null;
}

function isTrue(text: string): boolean {
  return text === '1' || text === 'true';
}
