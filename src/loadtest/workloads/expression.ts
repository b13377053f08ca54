import type { Random } from '../../base/random.js';
import { ValueError } from '../../base/units.js';

/** A value that a variable of a script can hold, and a statement can be given. */
export type Value = string | number | null;

export interface Scope {
  readonly variables: ReadonlyMap<string, Value>;
  readonly random: Random;
}

/** A parsed expression. Evaluating it throws a ValueError if a value does not fit. */
export interface Expression {
  /** The variables that it needs. */
  readonly uses: readonly string[];
  evaluate(scope: Scope): Value;
}

type Node = (scope: Scope) => Value;

/**
 * Reads what may stand behind `\set` (a part of pgbench's expressions): numbers, 'text', :variables, + - * / %,
 * parentheses, and the functions below. Of two whole numbers `/` gives the whole part, as in SQL.
 */
export function parseExpression(source: string): Expression {
  const tokens = tokenize(source);
  const uses = new Set<string>();
  let at = 0;
  const peek = () => tokens[at] ?? '';
  const take = () => tokens[at++] ?? '';
  const expect = (token: string) => {
    if (take() !== token) throw new ValueError(`'${source}' lacks a '${token}'`);
  };

  const sum = (): Node => operators(['+', '-'], product);
  const product = (): Node => operators(['*', '/', '%'], unary);

  function operators(signs: readonly string[], operand: () => Node): Node {
    let left = operand();
    while (signs.includes(peek())) {
      const sign = take();
      const [a, b] = [left, operand()];
      left = (scope) => calculate(sign, numberOf(a(scope)), numberOf(b(scope)));
    }
    return left;
  }

  function unary(): Node {
    if (peek() !== '-') return primary();
    take();
    const operand = unary();
    return (scope) => -numberOf(operand(scope));
  }

  function primary(): Node {
    const token = take();
    if (token === '(') {
      const inner = sum();
      expect(')');
      return inner;
    }
    if (/^[\d.]/.test(token)) return () => Number(token);
    if (token.startsWith("'")) {
      const text = token.slice(1, -1).replaceAll("''", "'");
      return () => text;
    }
    if (token.startsWith(':')) {
      const name = token.slice(1);
      uses.add(name);
      return ({ variables }) => variables.get(name) ?? null;
    }
    if (/^[a-z_]/i.test(token)) return call(token);
    throw new ValueError(
      token === '' ? `'${source}' ends too early` : `'${source}' has an unexpected '${token}'`,
    );
  }

  function call(name: string): Node {
    const known = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (known === undefined) {
      throw new ValueError(`'${name}' is not a function; known are ${Object.keys(FUNCTIONS).join(', ')}`);
    }
    expect('(');
    const given: Node[] = [sum()];
    while (peek() === ',') {
      take();
      given.push(sum());
    }
    expect(')');
    if (given.length < known.least || given.length > known.most) {
      throw new ValueError(`${name} is called as ${known.usage}`);
    }
    return (scope) => {
      const args: Value[] = [];
      for (let i = 0; i < given.length; i++) args.push((given[i] as Node)(scope));
      return known.call(args, scope.random);
    };
  }

  const root = sum();
  if (peek() !== '') throw new ValueError(`'${source}' has an unexpected '${peek()}'`);
  return { uses: [...uses], evaluate: root };
}

interface Callable {
  readonly least: number;
  readonly most: number;
  readonly usage: string;
  call(args: readonly Value[], random: Random): Value;
}

/** A whole number between two others, by a share in [0, 1). */
type Spread = (share: number, parameter: number, random: Random) => number;

function between(usage: string, spread: Spread): Callable {
  const most = usage.split(',').length;
  return {
    least: most,
    most,
    usage,
    call(args, random) {
      const low = numberAt(args, 0);
      const high = numberAt(args, 1);
      const parameter = numberAt(args, 2);
      if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || high < low) {
        throw new ValueError(`${usage} needs whole numbers, the lower first; got ${low} and ${high}`);
      }
      return low + Math.min(high - low, Math.floor(spread(random(), parameter, random) * (high - low + 1)));
    },
  };
}

/** The distributions are those of pgbench ("Random Functions"), so that its parameters keep their meaning. */
const FUNCTIONS: Readonly<Record<string, Callable>> = {
  random: between('random(low, high)', (share) => share),
  random_exponential: between('random_exponential(low, high, parameter)', (share, parameter) => {
    if (!(parameter > 0)) throw new ValueError('random_exponential needs a parameter above 0');
    const cut = Math.exp(-parameter);
    return -Math.log(cut + (1 - cut) * (1 - share)) / parameter;
  }),
  random_gaussian: between('random_gaussian(low, high, parameter)', (share, parameter, random) => {
    if (!(parameter >= 2)) throw new ValueError('random_gaussian needs a parameter of 2 or more');
    let deviation: number;
    let first = share;
    do {
      // Box and Muller's method; what lies outside of the bounds is drawn again.
      deviation = Math.sqrt(-2 * Math.log(1 - first)) * Math.sin(2 * Math.PI * random());
      first = random();
    } while (Math.abs(deviation) >= parameter);
    return (deviation + parameter) / (parameter * 2);
  }),
  choose: {
    least: 1,
    most: Number.POSITIVE_INFINITY,
    usage: "choose('a', 'b', ...)",
    call: (args, random) => args[Math.floor(random() * args.length)] ?? null,
  },
};

function tokenize(source: string): string[] {
  const pattern = /\s*(?:(\d+(?:\.\d+)?|\.\d+|'(?:[^']|'')*'|:[a-z_]\w*|[a-z_]\w*|[-+*/%(),])|(\S))/giy;
  const tokens: string[] = [];
  for (const [, token, wrong] of source.matchAll(pattern)) {
    if (wrong !== undefined) throw new ValueError(`'${source}' has an unexpected '${wrong}'`);
    if (token !== undefined) tokens.push(token);
  }
  return tokens;
}

function calculate(sign: string, a: number, b: number): number {
  const whole = Number.isInteger(a) && Number.isInteger(b);
  switch (sign) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      if (b === 0) throw new ValueError('division by zero');
      return whole ? Math.trunc(a / b) : a / b;
    default:
      if (b === 0) throw new ValueError('division by zero');
      return a % b;
  }
}

/** An argument; 0 where it was left out. */
function numberAt(args: readonly Value[], at: number): number {
  return at < args.length ? numberOf(args[at] as Value) : 0;
}

function numberOf(value: Value): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number' || Number.isNaN(number)) throw new ValueError(`'${value}' is not a number`);
  return number;
}
