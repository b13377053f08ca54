import { maskSecrets } from '../base/secrets.js';
import { tableLines } from '../report/table.js';
import type { OptionTable, Origin, Resolved } from './options.js';

/** What `--print-config --format json` prints. */
export interface ConfigDocument {
  readonly schema: 1;
  /** By the name of the option. */
  readonly options: Readonly<Record<string, { readonly value: string; readonly from: string }>>;
}

/** What `--print-config` shows: each option as it would be written, and where it came from; with `--format json` as JSON. */
export function configText(table: OptionTable, { values, origins }: Resolved<OptionTable>): string {
  // What an option that only this very command line can have says is known to who wrote it.
  const keys = Object.keys(table).filter((key) => table[key]?.config);
  const shown = (key: string) => maskSecrets(table[key]?.show(values[key]) ?? '');
  const from = (key: string) => originText(origins[key] ?? { kind: 'default' });
  if (values.format === 'json') {
    const options = Object.fromEntries(keys.map((key) => [key, { value: shown(key), from: from(key) }]));
    const document: ConfigDocument = { schema: 1, options };
    return `${JSON.stringify(document, null, 2)}\n`;
  }
  const lines = tableLines(keys, [
    { title: 'option', cell: (key) => key },
    { title: 'value', cell: shown },
    { title: 'from', cell: from },
  ]);
  return `${lines.join('\n')}\n`;
}

function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return 'flag';
    case 'env':
      return origin.file === null ? `env ${origin.name}` : `env ${origin.name} in ${origin.file}`;
    case 'config':
      return `${origin.file}: ${origin.key}`;
    case 'preset':
      return `profile ${origin.name}`;
    case 'default':
      return 'default';
  }
}
