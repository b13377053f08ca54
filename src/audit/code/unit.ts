import type { ts } from 'ts-morph';
import type { Language } from '../languages/language.js';

/** A source file, parsed when it is first needed. */
export interface SourceUnit {
  readonly index: number;
  readonly path: string;
  readonly name: string;
  /** The code; of a component file only its scripts are left, each at its place. */
  readonly text: string;
  /** The file as it stands, for people to read. */
  readonly source: string;
  readonly kind: ts.ScriptKind;
  readonly language: Language;
  /** The position in `source` that a position in `text` comes from. */
  toSource(position: number): number;
}
