import { formatDuration, parseCount, parseDuration, ValueError } from '../src/base/units.js';
import { type OptionSpec, value } from '../src/cli/options.js';
import type { ValueType } from '../src/cli/value-types.js';
import { SETTINGS, type Setting, type SettingKind, type SettingName } from '../src/pgbouncer/settings.js';

/** An option for each setting of `init`; its value is the text that is to stand in the file. */
export const settingOptions = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, setting]) => [name, optionOf(setting)]),
) as { readonly [Name in SettingName]: OptionSpec<string> };

/** The settings, with what was given for each. */
export function settingValues(
  options: Readonly<Record<SettingName, string>>,
): { readonly setting: Setting; readonly value: string }[] {
  return (Object.keys(SETTINGS) as SettingName[]).map((name) => ({
    setting: SETTINGS[name],
    value: options[name],
  }));
}

function optionOf({ kind, group, fallback, summary }: Setting): OptionSpec<string> {
  return value({
    ...{ summary, group, type: typeFor(kind), default: fallback },
    ...(fallback === '' ? { defaultText: 'none' } : {}),
  });
}

function typeFor(kind: SettingKind): ValueType<string> {
  switch (kind) {
    case 'count':
      return { placeholder: 'N', parse: (source) => String(parseCount(source)), show: (text) => text };
    case 'seconds':
      return times(1000, 3);
    case 'wholeSeconds':
      return times(1000, 0);
    case 'milliseconds':
      return times(1, 0);
    case 'switch':
      return words({ on: '1', off: '0' });
    case 'mode':
      return words({ transaction: 'transaction', session: 'session', statement: 'statement' });
    case 'text':
      return { placeholder: 'TEXT', parse: (source) => source, show: (text) => text };
  }
}

/** Durations, which the file has in one unit and without it. */
function times(unitMs: number, digits: number): ValueType<string> {
  return {
    placeholder: 'TIME',
    parse(source) {
      const figure = (parseDuration(source) / unitMs).toFixed(digits);
      const text = String(Number(figure));
      if (Number(text) * unitMs !== parseDuration(source))
        throw new ValueError(
          `'${source}' is too fine: the least step is ${formatDuration(unitMs / 10 ** digits)}`,
        );
      return text;
    },
    show: (text) => formatDuration(Number(text) * unitMs),
  };
}

function words(table: Readonly<Record<string, string>>): ValueType<string> {
  const names = Object.keys(table);
  return {
    placeholder: names.join('|'),
    parse(source) {
      const found = table[source.trim()];
      if (found === undefined) throw new ValueError(`'${source}' is not one of ${names.join(', ')}`);
      return found;
    },
    show: (text) => names.find((name) => table[name] === text) ?? text,
  };
}
