import { type AnySchema, type Read, readAs } from '../../src/snapshot/schema.js';

/** A reading with the fields that matter to a test; the others are not measured. */
export function read<S extends AnySchema>(schema: S, fields: object): Read<S> {
  const value = readAs(schema, fields);
  if (value === null) throw new Error(`that has another shape: ${JSON.stringify(fields)}`);
  return value;
}
