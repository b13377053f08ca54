import type { Random } from '../../base/random.js';
import type { Value } from './expression.js';
import { NO_ROW, type Row } from './parameters.js';
import type { Statement } from './script.js';

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
  const row = rows[seq % Math.max(1, rows.length)] ?? NO_ROW;
  const variables = new Map<string, Value>([['iteration', seq], ...defined]);
  if (row.kind === 'named') for (const [name, value] of row.values) variables.set(name, value);
  const list = row.kind === 'list' ? row.values : [];
  // `?` goes on through the row, from one statement of a script to the next.
  let place = 0;
  return {
    variables,
    random,
    valuesOf: ({ parameters }) =>
      parameters.map((parameter) => {
        if (parameter.kind === 'named') return variables.get(parameter.name) ?? null;
        return list[parameter.kind === 'numbered' ? parameter.index : place++] ?? null;
      }),
  };
}
