import { allCommands, type Command, type CommandTable } from './command.js';
import { commonOptions } from './common-options.js';
import type { OptionTable } from './options.js';

/** One command with all of its options, the common ones too. */
export interface CatalogEntry {
  readonly command: Command;
  readonly table: OptionTable;
}

/** Every command, loaded: what completions, the man page and the schema of the config file are made from. */
export async function catalogOf(table: CommandTable): Promise<readonly CatalogEntry[]> {
  const commands = await Promise.all(Object.values(allCommands(table)).map((entry) => entry.load()));
  return commands.map((command) => ({ command, table: { ...commonOptions, ...command.options } }));
}
