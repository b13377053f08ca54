import { DatabaseError } from '../errors.js';

/** Why a value can be no parameter, as the rest of a sentence; null where it can. Lists are the driver's to judge. */
export function unbindable(value: unknown): string | null {
  switch (typeof value) {
    case 'undefined':
      return 'is undefined; pass null for NULL';
    case 'object':
      if (value === null || value instanceof Uint8Array) return null;
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'is an invalid Date' : null;
      return `is ${Array.isArray(value) ? 'an array' : 'an object'}; pass JSON.stringify(...) of it`;
    case 'function':
    case 'symbol':
      return `is a ${typeof value}, which cannot be stored`;
    default:
      return null;
  }
}

/** Throws ERR_DB_PARAM, which names every parameter that cannot be bound; nothing if there are none. */
export function refuse(problems: readonly string[], sql: string): void {
  if (problems.length > 0) throw new DatabaseError('ERR_DB_PARAM', problems.join('; '), { sql });
}
