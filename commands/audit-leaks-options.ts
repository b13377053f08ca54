import { type CommandContext, restArguments } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { path } from '../src/cli/value-types.js';
import { formatsOf } from '../src/report/registry.js';
import { options as table } from '../src/settings/audit-table.js';

export const pathsArgument = {
  paths: restArguments({ summary: 'files and folders (default: the current folder)', type: path('PATH') }),
};

export const options = { ...table, format: formatOption(formatsOf('audit')) };

export type Context = CommandContext<typeof options, typeof pathsArgument>;
