import { userInfo } from 'node:os';
import { type ConfigFile, configSource, readConfigFile } from '../cli/config-file.js';
import type { Problem } from '../cli/errors.js';
import { resolveOptions, type Source, type ValuesOf } from '../cli/options.js';
import { options } from './audit-table.js';

/** The options of an audit, as a config file sets them. */
export type AuditSettings = ValuesOf<typeof options>;

export interface ReadSettings {
  readonly settings: AuditSettings;
  /** Sentences on what is wrong in the config file; then the settings are the defaults. */
  readonly problems: readonly string[];
}

export interface SettingsPlace {
  /** The folder that a search for a config file starts in. */
  readonly cwd: string;
  /** The config file; null searches `cwd` and the folders above it, as the command line does. */
  readonly config: string | null;
}

/** The settings where there is no config file. */
export function defaultSettings(): AuditSettings {
  return resolved([]).values;
}

/** Reads the section `audit-leaks` of the config file, by the rules of the command line. */
export async function readAuditSettings({ cwd, config }: SettingsPlace): Promise<ReadSettings> {
  const problems: Problem[] = [];
  const { uid } = userInfo();
  const warn = (message: string) => problems.push({ message, hint: null });
  const file = await readConfigFile(config, { cwd, uid: uid < 0 ? null : uid, warn }, problems);
  const section = { command: 'audit-leaks', commands: sectionsOf(file) };
  const { values, problems: unreadable } = resolved([configSource(file, section, options, problems)]);
  const found = [...problems, ...unreadable].map(({ message, hint }) =>
    hint === null ? message : `${message} (${hint})`,
  );
  return found.length === 0
    ? { settings: values, problems: [] }
    : { settings: defaultSettings(), problems: found };
}

function resolved(sources: readonly Source[]) {
  return resolveOptions(options, sources, () => null);
}

/** The sections of other commands are none of the plug-in's business. */
function sectionsOf(file: ConfigFile | null): readonly string[] {
  return ['audit-leaks', ...Object.keys(file?.content ?? {})];
}
