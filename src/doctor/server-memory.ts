import { isLocal } from './pooler-facts.js';
import { postgresSize } from './postgres-settings.js';
import type { DoctorOptions, PostgresTarget } from './types.js';
import { Unknowable } from './unknowable.js';

/** The memory of a server, as far as it can be known: the server itself does not tell. */
export function memoryOf(
  { host }: PostgresTarget,
  { memoryBytes, ownMemoryBytes }: DoctorOptions,
): { readonly bytes: number; readonly text: string } {
  if (memoryBytes !== null) return { bytes: memoryBytes, text: postgresSize(memoryBytes) };
  if (ownMemoryBytes !== null && isLocal(host))
    return { bytes: ownMemoryBytes, text: `${postgresSize(ownMemoryBytes)} of this machine` };
  throw new Unknowable('the memory of the server is not known: say it by --memory');
}
