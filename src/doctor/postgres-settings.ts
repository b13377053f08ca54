import { formatDuration } from '../base/units.js';
import type { PostgresSetting, PostgresTarget } from './types.js';
import { Unknowable } from './unknowable.js';

type Server = Pick<PostgresTarget, 'settings' | 'version'>;

export function settingOf({ settings, version }: Server, name: string): PostgresSetting {
  const found = settings.get(name);
  if (found === undefined) throw new Unknowable(`PostgreSQL ${version} has no ${name}, or does not show it`);
  return found;
}

export function settingNumber(server: Server, name: string): number {
  const value = Number(settingOf(server, name).value);
  if (!Number.isFinite(value)) throw new Unknowable(`${name} is no number`);
  return value;
}

/** A setting that is a time, in milliseconds. */
export function settingMs(server: Server, name: string): number {
  return settingNumber(server, name) * (MS_PER[settingOf(server, name).unit ?? 'ms'] ?? 1);
}

/** A setting that is an amount of memory. */
export function settingBytes(server: Server, name: string): number {
  const [, count = '1', unit = 'B'] = /^(\d*)([a-z]+)$/i.exec(settingOf(server, name).unit ?? 'B') ?? [];
  return settingNumber(server, name) * Number(count || 1) * (BYTES_PER[unit] ?? 1);
}

export function settingIsOn(server: Server, name: string): boolean {
  return settingOf(server, name).value === 'on';
}

/** A line of evidence: `work_mem = 4 MB (default)`. */
export function settingText(server: Server, name: string): string {
  const { value, unit, source } = settingOf(server, name);
  const shown =
    unit === null || Number(value) <= 0
      ? value
      : MS_PER[unit] !== undefined
        ? formatDuration(settingMs(server, name))
        : postgresSize(settingBytes(server, name));
  return `${name} = ${shown === '' ? "''" : shown} (${source})`;
}

/** As PostgreSQL writes it, in powers of 1024: `128MB`, `64kB`. */
export function postgresSize(bytes: number): string {
  const [unit = 'B', size = 1] =
    Object.entries(BYTES_PER)
      .reverse()
      .find(([, one]) => bytes >= one) ?? [];
  return `${Number((bytes / size).toFixed(2))}${unit}`;
}

const MS_PER: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES_PER: Readonly<Record<string, number>> = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };
