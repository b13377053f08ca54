import { closest } from './closest.js';

/** The type of an option. Ranges and choices are checked where the value is read. */
export type OptionKind =
  | 'number'
  | 'number or null'
  | 'boolean'
  | 'text'
  | 'function'
  | 'any'
  /** An object with these options; `or` lists what may stand in its place. */
  | { readonly fields: OptionShape; readonly or?: readonly (false | true | null | 'function' | 'string')[] };

export type OptionShape = Readonly<Record<string, OptionKind>>;

/** Names that other libraries use: the name of ours, or a sentence where there is none. */
export type ForeignNames = Readonly<Record<string, string>>;

/**
 * Problems with the names and types of options, one sentence each. JavaScript would ignore a name that nobody reads, and
 * calculate with a text as if it were a number. An option that is undefined counts as not given.
 */
export function optionProblems(
  options: unknown,
  shape: OptionShape,
  foreign: ForeignNames = {},
  within = '',
): string[] {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return [
      `${within === '' ? 'the options' : within.slice(0, -1)} must be an object, got ${shown(options)}`,
    ];
  }
  const problems: string[] = [];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const kind = Object.hasOwn(shape, name) ? shape[name] : undefined;
    if (kind === undefined) problems.push(unknownOption(name, shape, foreign, within));
    else if (typeof kind === 'object') {
      const isOther = kind.or?.some((other) => other === value || other === typeof value) ?? false;
      if (!isOther) problems.push(...optionProblems(value, kind.fields, {}, `${within}${name}.`));
    } else if (!fits(value, kind)) {
      problems.push(`${within}${name} must be ${NOUNS[kind]}, got ${shown(value)}`);
    }
  }
  return problems;
}

function unknownOption(name: string, shape: OptionShape, foreign: ForeignNames, within: string): string {
  const known = Object.keys(shape);
  const meant = (Object.hasOwn(foreign, name) ? foreign[name] : undefined) ?? closest(name, known);
  const unknown = `unknown option '${within}${name}'`;
  if (meant === null || meant === undefined) return `${unknown}; there are ${known.join(', ')}`;
  return meant.includes(' ') ? `${unknown}: ${meant}` : `${unknown}; did you mean '${within}${meant}'?`;
}

const NOUNS = {
  number: 'a number',
  'number or null': 'a number or null',
  boolean: 'true or false',
  text: 'a text',
  function: 'a function',
  any: 'anything',
} satisfies Record<Extract<OptionKind, string>, string>;

function fits(value: unknown, kind: Extract<OptionKind, string>): boolean {
  switch (kind) {
    case 'number':
      return typeof value === 'number';
    case 'number or null':
      return typeof value === 'number' || value === null;
    case 'boolean':
      return typeof value === 'boolean';
    case 'function':
      return typeof value === 'function';
    case 'text':
      return typeof value === 'string';
    case 'any':
      return true;
  }
}

/** Values from the environment are text: 5 and '5' look the same otherwise. Objects may hold secrets. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `the text '${value}'`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
