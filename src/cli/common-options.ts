import { flag, value } from './options.js';
import { choice, path } from './value-types.js';

const GROUP = 'Common options';

/** What every command has. */
export const commonOptions = {
  output: value({
    summary: 'write the result to FILE instead of stdout; it is opened before anything runs',
    short: 'o',
    type: path('FILE'),
    default: null,
    group: GROUP,
    config: false,
  }),
  config: value({
    summary: 'read options from FILE',
    type: path('FILE'),
    default: null,
    defaultText: 'poolctl.config.json, if there',
    group: GROUP,
    config: false,
  }),
  envFile: value({
    summary: 'read environment variables from FILE; those that are set already win',
    type: path('FILE'),
    default: null,
    group: GROUP,
    config: false,
  }),
  printConfig: flag({
    summary: 'print every option, its value and where it came from, and run nothing',
    group: GROUP,
    config: false,
  }),
  color: flag({
    summary: 'colour the result; auto is on a terminal, unless NO_COLOR is set',
    default: null,
    defaultText: 'auto',
    negatable: true,
    group: GROUP,
  }),
  quiet: flag({ summary: 'no progress and no remarks on stderr', short: 'q', group: GROUP }),
  verbose: flag({ summary: 'say on stderr what is being done', short: 'v', group: GROUP }),
};

export type CommonOptions = typeof commonOptions;

/** The `--format` option of a command with these report formats; the first is the default. */
export function formatOption<const Format extends string>(formats: readonly [Format, ...Format[]]) {
  return value({
    summary: `how the result is written: ${formats.join(', ')}`,
    short: 'f',
    type: choice(formats, 'FORMAT'),
    default: formats[0],
    group: 'Output',
  });
}
