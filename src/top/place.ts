export const VIEWS = [
  'pools',
  'holders',
  'backends',
  'blocking',
  'pgbouncer',
  'events',
  'servers',
  'sizes',
] as const;
export type ViewName = (typeof VIEWS)[number] | 'help';

export const GROUPINGS = ['application', 'user', 'database', 'site'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** The current view. */
export type Place =
  | { readonly kind: 'view'; readonly view: ViewName }
  | { readonly kind: 'pool'; readonly pool: string }
  /** The connections of a pool of broker connections. */
  | { readonly kind: 'broker'; readonly pool: string }
  /** The size that a pool needs. */
  | { readonly kind: 'size'; readonly pool: string }
  | { readonly kind: 'lease'; readonly lease: string }
  | { readonly kind: 'backend'; readonly backend: string }
  | { readonly kind: 'clients'; readonly poolerPool: string }
  | {
      readonly kind: 'group';
      readonly view: 'holders' | 'backends';
      readonly by: Grouping;
      readonly value: string;
    };

/** A place, and where in it one is. */
export interface Spot {
  readonly place: Place;
  /** The row that was moved to; null follows the first row, whichever that is. */
  readonly row: string | null;
  /** The last position of the row, in case it disappears. */
  readonly index: number;
  /** `text` keeps the rows that have it, `!text` those that do not. */
  readonly filter: string;
}

export interface Sort {
  readonly column: string;
  readonly descending: boolean;
}

export function spotAt(place: Place): Spot {
  return { place, row: null, index: 0, filter: '' };
}
