import { settingNumber } from './postgres-settings.js';
import type { PostgresTarget } from './types.js';

/** The connections that ordinary roles can have: what is reserved is of no use to an application. */
export function serverCapacity(target: PostgresTarget): { readonly usable: number; readonly text: string } {
  const most = settingNumber(target, 'max_connections');
  const names = ['superuser_reserved_connections', 'reserved_connections'].filter((name) =>
    target.settings.has(name),
  );
  const reserved = names.map((name) => settingNumber(target, name));
  const usable = Math.max(1, most - reserved.reduce((sum, one) => sum + one, 0));
  const parts = names.map((name, at) => (reserved[at] === 0 ? '' : ` - ${name} ${reserved[at]}`)).join('');
  return { usable, text: `max_connections ${most}${parts} = ${usable}` };
}
