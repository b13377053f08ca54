export type Unit = 'connections' | 'count' | 'seconds' | 'bytes' | 'yes or no';

/** The metric that a field of a snapshot is exported as. */
export interface FieldMetric {
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** Without the prefix of its kind of pool. */
  readonly name: string;
  readonly unit: Unit;
  readonly help: string;
  /** How the values of several pools add up where they share a series. Default: sum. */
  readonly together?: 'max';
  /** From the unit of the field to that of the metric. */
  readonly factor?: number;
  /** Also exported under SQLAlchemy's prefix, on request. */
  readonly inSqlAlchemy?: boolean;
}

/** A field that is exported as several series: one for each of its names, or for each state of its items. */
export interface LabelledMetric extends FieldMetric {
  readonly label: string;
}

type Extra = Omit<FieldMetric, 'type' | 'name' | 'unit' | 'help'>;

export function gauge(name: string, unit: Unit, help: string, extra: Extra = {}): FieldMetric {
  return { type: 'gauge', name, unit, help, ...extra };
}

export function counter(name: string, help: string, extra: Extra = {}): FieldMetric {
  return { type: 'counter', name: `${name}_total`, unit: 'count', help, ...extra };
}

/** Durations. */
export function durations(name: string, help: string, extra: Extra = {}): FieldMetric {
  return { type: 'histogram', name, unit: 'seconds', help, ...extra };
}
