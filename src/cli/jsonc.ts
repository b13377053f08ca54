/** JSON with comments and trailing commas, with the place of every value. */
export interface JsoncDocument {
  readonly value: unknown;
  /** Position where the value at this path begins, or where its name does; null where there is none. */
  placeOf(path: readonly string[]): Place | null;
}

/** Both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The text is not JSON. The message says what is wrong, without the place. */
export class JsoncError extends Error {
  readonly place: Place;

  constructor(message: string, place: Place) {
    super(message);
    this.name = 'JsoncError';
    this.place = place;
  }
}

/** Deeper than any config file; a bound for the call stack. */
const DEEPEST = 200;

/**
 * Parses JSON that may contain `//` and block comments, trailing commas and a byte order mark. Everything else is as
 * strict as JSON.parse, but for names that occur twice: these are an error here, since one of them has no effect.
 */
export function parseJsonc(source: string): JsoncDocument {
  const parser = new Parser(source);
  const value = parser.document();
  return {
    value,
    placeOf(path) {
      const at = parser.offsets.get(JSON.stringify(path));
      return at === undefined ? null : placeIn(source, at);
    },
  };
}

class Parser {
  /** Position where the name of each member begins, by its path. */
  readonly offsets = new Map<string, number>();
  readonly #text: string;
  readonly #path: string[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.startsWith('\uFEFF')) this.#at = 1;
  }

  document(): unknown {
    this.#skip();
    if (this.#at === this.#text.length) this.#fail('the file is empty');
    const value = this.#value(0);
    this.#skip();
    if (this.#at < this.#text.length) this.#fail(`unexpected ${this.#shown()} after the end of the value`);
    return value;
  }

  #value(depth: number): unknown {
    if (depth > DEEPEST) this.#fail(`nested more than ${DEEPEST} levels deep`);
    const next = this.#text[this.#at];
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#array(depth);
    if (next === '"') return this.#string();
    const word = /(?:true|false|null)\b/y;
    word.lastIndex = this.#at;
    const [found] = word.exec(this.#text) ?? [];
    if (found !== undefined) {
      this.#at += found.length;
      return found === 'null' ? null : found === 'true';
    }
    const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
    number.lastIndex = this.#at;
    const [digits] = number.exec(this.#text) ?? [];
    if (digits === undefined) this.#fail(`a value is expected, not ${this.#shown()}`);
    this.#at += digits.length;
    return Number(digits);
  }

  #object(depth: number): unknown {
    const members = new Map<string, unknown>();
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#take('}')) return Object.fromEntries(members);
      if (this.#text[this.#at] !== '"')
        this.#fail(`a name in double quotes is expected, not ${this.#shown()}`);
      const begin = this.#at;
      const name = this.#string();
      if (members.has(name)) this.#fail(`"${name}" occurs twice`, begin);
      this.#path.push(name);
      this.offsets.set(JSON.stringify(this.#path), begin);
      this.#skip();
      if (!this.#take(':')) this.#fail(`':' is expected after "${name}", not ${this.#shown()}`);
      this.#skip();
      members.set(name, this.#value(depth + 1));
      this.#path.pop();
      this.#skip();
      if (!this.#take(',') && this.#text[this.#at] !== '}')
        this.#fail(`',' or '}' is expected, not ${this.#shown()}`);
    }
  }

  #array(depth: number): unknown {
    const items: unknown[] = [];
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#take(']')) return items;
      this.#path.push(String(items.length));
      this.offsets.set(JSON.stringify(this.#path), this.#at);
      items.push(this.#value(depth + 1));
      this.#path.pop();
      this.#skip();
      if (!this.#take(',') && this.#text[this.#at] !== ']')
        this.#fail(`',' or ']' is expected, not ${this.#shown()}`);
    }
  }

  #string(): string {
    const begin = this.#at;
    const end = /[^"\\\n\r]*(?:\\[^\n\r][^"\\\n\r]*)*/y;
    end.lastIndex = begin + 1;
    end.exec(this.#text);
    this.#at = Math.max(end.lastIndex, begin + 1);
    if (!this.#take('"')) this.#fail('the text that begins here has no end', begin);
    try {
      return JSON.parse(this.#text.slice(begin, this.#at)) as string;
    } catch {
      this.#fail('this text has an escape or a control character that JSON does not allow', begin);
    }
  }

  /** Past white space and comments. */
  #skip(): void {
    for (;;) {
      const blank = /[ \t\n\r]*(?:\/\/[^\n\r]*)?/y;
      blank.lastIndex = this.#at;
      blank.exec(this.#text);
      const after = blank.lastIndex;
      if (this.#text.startsWith('/*', after)) {
        const end = this.#text.indexOf('*/', after + 2);
        if (end < 0) this.#fail('the comment that begins here has no end', after);
        this.#at = end + 2;
      } else if (after > this.#at) this.#at = after;
      else return;
    }
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #shown(): string {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? 'the end of the file' : `'${String.fromCodePoint(code)}'`;
  }

  #fail(message: string, at = this.#at): never {
    throw new JsoncError(message, placeIn(this.#text, at));
  }
}

function placeIn(text: string, offset: number): Place {
  const lines = text.slice(0, offset).split(/\r\n|\n|\r/);
  const last = lines.at(-1) ?? '';
  const mark = lines.length === 1 && last.startsWith('\uFEFF') ? 1 : 0;
  return { line: lines.length, column: last.length - mark + 1 };
}
