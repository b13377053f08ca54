import type { Entered } from './enter.js';

/** The answer of the process that enters another one: the outcome, or an error by its parts. */
export type HandNews =
  | { readonly entered: Entered }
  | { readonly code: string | null; readonly message: string; readonly hint: string | null };
