import type { Tick } from '../snapshot/reading.js';
import type { PoolSample } from './history.js';

export const VIEWS = ['pools', 'holders', 'backends', 'blocking', 'pgbouncer', 'events'] as const;
export type ViewName = (typeof VIEWS)[number] | 'help';

export const GROUPINGS = ['application', 'user', 'database', 'site'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** What is looked at. */
export type Place =
  | { readonly kind: 'view'; readonly view: ViewName }
  | { readonly kind: 'pool'; readonly pool: string }
  /** The connections of a pool of broker connections. */
  | { readonly kind: 'broker'; readonly pool: string }
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
  /** Where the row was last seen, for when it has gone. */
  readonly index: number;
  /** `text` keeps the rows that have it, `!text` those that do not. */
  readonly filter: string;
}

export interface Sort {
  readonly column: string;
  readonly descending: boolean;
}

export type Prompt =
  | { readonly kind: 'filter'; readonly text: string; readonly before: string }
  | { readonly kind: 'confirm'; readonly action: BackendAction };

/** What is asked of a server about one backend. */
export interface BackendAction {
  readonly verb: 'cancel' | 'terminate';
  readonly source: string;
  readonly pid: number;
  readonly user: string | null;
  readonly database: string | null;
}

export interface ScreenEvent {
  readonly atMs: number;
  readonly tone: 'good' | 'warn' | 'bad' | 'faint';
  readonly about: string;
  readonly words: string;
}

export interface State {
  /** The newest tick, also while paused. */
  readonly tick: Tick | null;
  /** The one that is drawn. */
  readonly shown: Tick | null;
  readonly history: ReadonlyMap<string, readonly PoolSample[]>;
  /** Newest first. */
  readonly events: readonly ScreenEvent[];
  /** From the first place to the one that is drawn. Never empty. */
  readonly trail: readonly Spot[];
  /** By the name of a table; those that are not there are sorted in their own way. */
  readonly sorts: Readonly<Record<string, Sort>>;
  readonly grouping: Grouping | null;
  readonly paused: boolean;
  readonly intervalMs: number;
  readonly prompt: Prompt | null;
  readonly notice: { readonly words: string; readonly tone: 'good' | 'warn' | 'bad' } | null;
  readonly size: Size;
  readonly allowActions: boolean;
  /** Confirmed, and not yet done. */
  readonly action: BackendAction | null;
  /** Said in place of the time: `demo`, `replay`. */
  readonly mode: string | null;
  readonly ended: boolean;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface StateOptions {
  readonly size: Size;
  readonly intervalMs: number;
  readonly allowActions?: boolean;
  readonly mode?: string | null;
}

export const INTERVALS_MS = [250, 500, 1000, 2000, 5000, 10_000, 30_000] as const;

export function initialState({ size, intervalMs, allowActions = false, mode = null }: StateOptions): State {
  return {
    tick: null,
    shown: null,
    history: new Map(),
    events: [],
    trail: [spotAt({ kind: 'view', view: 'pools' })],
    sorts: {},
    grouping: null,
    paused: false,
    intervalMs,
    prompt: null,
    notice: null,
    size,
    allowActions,
    action: null,
    mode,
    ended: false,
  };
}

export function spotAt(place: Place): Spot {
  return { place, row: null, index: 0, filter: '' };
}

/** The spot that is drawn. */
export function here({ trail }: State): Spot {
  return trail.at(-1) ?? spotAt({ kind: 'view', view: 'pools' });
}
