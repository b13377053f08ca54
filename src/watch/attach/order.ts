import type { App } from '../../snapshot/reading.js';
import type { Found } from './find-pools.js';

/** The order that poolctl sends into the program, as JSON. */
export interface AttachOrder {
  /** The path of a socket on which poolctl listens. Everything is taken back when its connection ends. */
  readonly leash: string;
  /** Name of the application; null: that of its package, or its script. */
  readonly name: string | null;
  readonly leakAfterMs: number;
  /** Whether poolctl has opened the inspector, so that it is closed again. */
  readonly closeInspector: boolean;
}

/** The answer of the program, through the inspector. */
export type AttachAnswer =
  | {
      readonly kind: 'attached';
      /** The socket on which the pools are published. */
      readonly address: string;
      readonly pid: number;
      readonly thread: number;
      readonly app: App;
    }
  /** poolctl watches it already: `poolctl run`, poolctl/register, watch(), or another attach. */
  | { readonly kind: 'watched'; readonly address: string | null }
  | { readonly kind: 'failed'; readonly why: string };

/** A line on the leash from the program. poolctl sends one line: to close the inspector. */
export type LeashNews =
  | { readonly inspector: 'closed' }
  | { readonly found: Found }
  | { readonly searchFailed: string };
