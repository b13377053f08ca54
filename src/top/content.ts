import type { Line } from './spans.js';
import type { Table } from './table.js';

/** The part of the screen between its first and last lines. */
export type Content =
  | { readonly kind: 'table'; readonly title: string; readonly table: Table }
  | { readonly kind: 'text'; readonly title: string; readonly lines: readonly Line[] };
