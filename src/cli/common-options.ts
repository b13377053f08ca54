import { flag, value } from './options.js';
import { choice, path } from './value-types.js';

const GROUP = 'Common options';
const OUTPUT = 'Output';
const COLORS = ['always', 'never', 'auto'] as const;

/** The options of every command. */
export const commonOptions = {
  output: value({
    summary: 'write the result to FILE, which is opened before the run',
    short: 'o',
    type: path('FILE'),
    default: null,
    group: OUTPUT,
    config: false,
  }),
  config: value({
    summary: 'read options from FILE',
    type: path('FILE'),
    default: null,
    defaultText: 'poolctl.config.json, if present',
    group: GROUP,
    config: false,
  }),
  dotenv: value({
    summary: 'read environment variables from FILE; variables that are set keep their value',
    type: path('FILE'),
    default: null,
    group: GROUP,
    config: false,
  }),
  printConfig: flag({
    summary: 'print every option with its value and its origin, and exit',
    group: GROUP,
    config: false,
  }),
  color: value({
    summary: 'color the output: always, never or auto; auto follows NO_COLOR, FORCE_COLOR and the terminal',
    type: choice(COLORS, 'WHEN'),
    default: 'auto',
    bare: { words: COLORS, on: 'always', off: 'never' },
    group: OUTPUT,
  }),
  quiet: flag({ summary: 'print no progress and no remarks on stderr', short: 'q', group: GROUP }),
  verbose: flag({ summary: 'print each step on stderr', short: 'v', group: GROUP }),
};

export type CommonOptions = typeof commonOptions;

/** The `--format` option of a command with these report formats; the first is the default. */
export function formatOption<const Format extends string>(formats: readonly [Format, ...Format[]]) {
  return value({
    summary: `format of the result: ${formats.join(', ')}`,
    short: 'f',
    type: choice(formats, 'FORMAT'),
    default: formats[0],
    group: OUTPUT,
  });
}
