import type { Random } from '../../base/random.js';
import type { Value } from './expression.js';
import { NO_ROW, type Row } from './parameters.js';
import type { Parameter, Statement } from './script.js';

/** The values that one iteration has to give to its statements. */
export interface Bindings {
  readonly variables: Map<string, Value>;
  readonly random: Random;
  /** The values of a statement, in the order of its parameters. To be asked once for each, in the script's order. */
  valuesOf(statement: Statement): Value[];
}

/** The bindings of iteration `seq`: iteration n gets row n, and after the last row the first again. */
export function bindingsFor(
  rows: readonly Row[],
  defined: ReadonlyMap<string, Value>,
  seq: number,
  random: Random,
): Bindings {
  const row = rows.length === 0 ? NO_ROW : (rows[seq % rows.length] ?? NO_ROW);
  const variables = new Map<string, Value>();
  variables.set('iteration', seq);
  if (defined.size > 0) for (const [name, value] of defined) variables.set(name, value);
  if (row.kind === 'named') for (const [name, value] of row.values) variables.set(name, value);
  return new RowBindings(variables, random, row.kind === 'list' ? row.values : NO_VALUES);
}

const NO_VALUES: readonly Value[] = [];

/** One for each iteration: a class and loops, since closures and spreads cost more than all else that an iteration does. */
class RowBindings implements Bindings {
  readonly variables: Map<string, Value>;
  readonly random: Random;
  readonly #list: readonly Value[];
  /** `?` goes on through the row, from one statement of a script to the next. */
  #place = 0;

  constructor(variables: Map<string, Value>, random: Random, list: readonly Value[]) {
    this.variables = variables;
    this.random = random;
    this.#list = list;
  }

  valuesOf({ parameters }: Statement): Value[] {
    const values: Value[] = [];
    for (let i = 0; i < parameters.length; i++) {
      const parameter = parameters[i] as Parameter;
      const value =
        parameter.kind === 'named'
          ? this.variables.get(parameter.name)
          : this.#list[parameter.kind === 'numbered' ? parameter.index : this.#place++];
      values.push(value ?? null);
    }
    return values;
  }
}
