import { maskSecrets, maskValues } from '../base/secrets.js';
import { formatCount } from '../base/units.js';
import { tableLines } from '../report/table.js';
import { printable, truncate, widthOf } from '../report/text.js';
import type { OptionTable, Origin, Resolved } from './options.js';

/** The document of `--print-config --format json`. */
export interface ConfigDocument {
  readonly schema: 1;
  /** By the name of the option. */
  readonly options: Readonly<Record<string, { readonly value: string; readonly from: string }>>;
}

const LONGEST_VALUE = 48;

/**
 * The text of `--print-config`: each option as it would be written, and its origin. The table cuts long values; with
 * `--format json` they are whole.
 */
export function configText(
  table: OptionTable,
  { values, origins }: Resolved<OptionTable>,
  place: { readonly unicode: boolean },
): string {
  const keys = Object.keys(table).filter((key) => key !== 'printConfig');
  const shown = (key: string) => maskSecrets(table[key]?.show(values[key]) ?? '');
  const origin = (key: string) => origins[key] ?? { kind: 'default' };
  if (values.format === 'json') {
    const options = Object.fromEntries(
      keys.map((key) => [key, { value: shown(key), from: originCode(origin(key)) }]),
    );
    const document: ConfigDocument = { schema: 1, options };
    return maskValues(`${JSON.stringify(document, null, 2)}\n`);
  }
  const lines = tableLines(keys, [
    { title: 'option', cell: (key) => key },
    { title: 'value', cell: (key) => shortened(shown(key), place) },
    { title: 'from', cell: (key) => originWords(origin(key)) },
  ]);
  return maskValues(`${lines.join('\n')}\n`);
}

/** One line, with its whole length where it is cut. */
function shortened(value: string, place: { readonly unicode: boolean }): string {
  // Cut first: all of a megabyte need not be made printable.
  const line = printable(value.slice(0, 4 * LONGEST_VALUE));
  if (value.length <= 4 * LONGEST_VALUE && widthOf(line) <= LONGEST_VALUE) return line;
  const length = ` (${formatCount(value.length)} characters)`;
  return truncate(`${line} `.padEnd(LONGEST_VALUE + 1), LONGEST_VALUE - length.length, place) + length;
}

/** As in the JSON, which scripts read. */
function originCode(origin: Origin): string {
  switch (origin.kind) {
    case 'env':
      return origin.file === null ? `env ${origin.name}` : `env ${origin.name} in ${origin.file}`;
    case 'config':
      return `${origin.file}: ${origin.key}`;
    case 'preset':
      return `profile ${origin.name}`;
    default:
      return origin.kind;
  }
}

function originWords(origin: Origin): string {
  if (origin.kind === 'flag') return 'command line';
  return printable(originCode(origin).replace(/^env /, 'environment: '));
}
