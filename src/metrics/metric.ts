import type { HistogramSnapshot } from '../base/histogram.js';
import type { Unit } from '../snapshot/metric.js';
import type { Reading } from '../snapshot/reading.js';

/** Other names under which the same figures are given as well, for dashboards that exist already. */
export const COMPATS = ['sqlalchemy', 'prometheus-community'] as const;
export type Compat = (typeof COMPATS)[number];

/** One metric: what the exporter, the dashboard and the alerts are made from. */
export interface Metric<Subject> {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly unit: Unit;
  readonly help: string;
  /** Its name for those who ask for it. */
  readonly alias?: { readonly compat: Compat; readonly name: string };
  /** How values combine if things are counted together, because there are too many. Default: sum. */
  readonly together?: 'sum' | 'max';
  /** null: not measured, so there is no series. */
  read(subject: Subject): number | HistogramSnapshot | null;
}

/** Metrics of the same kind of thing, with the same labels. */
export interface Family<Subject, Name extends string = string> {
  /** Beside `source`. A label without a value is left out. */
  readonly labels: readonly string[];
  /** A label that is given again, by another name. */
  readonly labelAlias?: { readonly compat: Compat; readonly label: string; readonly of: string };
  subjectsOf(reading: Reading): readonly Labelled<Subject>[];
  readonly metrics: Readonly<Record<Name, Metric<Subject>>>;
}

export interface Labelled<Subject> {
  readonly labels: readonly string[];
  readonly subject: Subject;
}

/** A family whose subjects those who walk the table only hand on. */
export type AnyFamily = Family<unknown>;

export const gauge = <Subject>(spec: Omit<Metric<Subject>, 'type'>): Metric<Subject> => ({
  ...spec,
  type: 'gauge',
});
export const counter = <Subject>(
  spec: Omit<Metric<Subject>, 'type' | 'unit'> & { readonly unit?: Unit },
) => ({
  unit: 'count' as const,
  ...spec,
  type: 'counter' as const,
});
