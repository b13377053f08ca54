import type { ResourceSpec } from '../types.js';

/** A language that is audited. The engine reads one syntax; other languages are translated to it. */
export type Language = NonNullable<ResourceSpec['language']>;

export function languageOf(path: string): Language {
  return /\.(py|ipynb)$/.test(path) ? 'python' : 'typescript';
}
