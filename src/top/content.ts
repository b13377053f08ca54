import type { Line } from './spans.js';
import type { Table } from './table.js';

/** What the screen shows between its first lines and its last. */
export type Content =
  | { readonly kind: 'table'; readonly title: string; readonly table: Table }
  | { readonly kind: 'text'; readonly title: string; readonly lines: readonly Line[] };
