import type { ts } from 'ts-morph';
import type { Language } from '../languages/language.js';

export interface Range {
  readonly from: number;
  readonly to: number;
}

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
  /** The code in `source`, where that is a notebook. */
  readonly code?: string;
  /** Ranges of `source` that the grammar of its language does not understand. */
  readonly errors?: readonly Range[];
  /** A line of `source` as its author wrote it, where that is a notebook. */
  readonly lineAsWritten?: (line: string) => string;
  /** The position in `source` that a position in `text` comes from. */
  toSource(position: number): number;
}
