import type { Moment } from '../diagnosis/moment.js';
import type { Content } from './content.js';
import { type Grouping, type Sort, type Spot, spotAt } from './place.js';
import type { SizeReply } from './size-thread.js';

export type Prompt =
  | { readonly kind: 'filter'; readonly text: string; readonly before: string }
  | { readonly kind: 'confirm'; readonly action: BackendAction };

/** An action on one backend of a server. */
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
  /** The newest reading, also while paused. */
  readonly latest: Moment | null;
  /** The reading on the screen. */
  readonly shown: Moment | null;
  /** The table or text at the current place, made from `shown`. */
  readonly content: Content;
  /** The sizes that pools need; null where no leases are recorded. */
  readonly sizes: SizeReply | null;
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

export const INTERVALS_MS = [250, 500, 1000, 2000, 5000, 10_000, 30_000] as const;

/** The spot that is drawn. */
export function here({ trail }: Pick<State, 'trail'>): Spot {
  return trail.at(-1) ?? spotAt({ kind: 'view', view: 'pools' });
}
