import type { HistogramSnapshot } from '../base/histogram.js';
import type { FieldMetric, LabelledMetric } from '../snapshot/metric.js';
import type { PoolReading, Reading } from '../snapshot/reading.js';
import type { AnySchema, Entries, ObjectRead, ObjectSchema, Read } from '../snapshot/schema.js';
import { SQLALCHEMY_PREFIX } from '../sources/metric-names.js';
import type { Family, Labelled, Metric } from './metric.js';
import { POOL_LABELS, poolLabels } from './pool-labels.js';

type Metered<E extends Entries> = keyof ObjectRead<E> &
  { [K in keyof E]: E[K] extends { readonly metric: FieldMetric } ? K : never }[keyof E];

/** The metrics of the fields of a schema, by the names of the fields. */
export function metricsOf<E extends Entries>(
  { entries }: ObjectSchema<E>,
  prefix: string,
): { readonly [K in Metered<E>]: Metric<Pick<ObjectRead<E>, Metered<E>>> } {
  const metrics = Object.entries(entries).flatMap(([field, schema]) =>
    'metric' in schema ? [[field, metricOf(field, schema.metric as FieldMetric, prefix)]] : [],
  );
  return Object.fromEntries(metrics) as { [K in Metered<E>]: Metric<Pick<ObjectRead<E>, Metered<E>>> };
}

/** The same metrics, of subjects that have what they are read from as a part; null where they do not. */
export function through<Subject, Part, M extends Readonly<Record<string, Metric<Part>>>>(
  part: (subject: Subject) => Part | null,
  metrics: M,
): { readonly [K in keyof M]: Metric<Subject> } {
  const mapped = Object.entries(metrics).map(([name, metric]) => [
    name,
    {
      ...metric,
      read: (subject: Subject) => {
        const found = part(subject);
        return found === null ? null : metric.read(found);
      },
    },
  ]);
  return Object.fromEntries(mapped) as { [K in keyof M]: Metric<Subject> };
}

/** The family of the pools that have this part. */
export function familyOf<E extends Entries>(
  schema: ObjectSchema<E>,
  prefix: string,
  part: (pool: PoolReading) => ObjectRead<E> | undefined,
) {
  return {
    labels: POOL_LABELS,
    subjectsOf: ({ pools }: Reading): readonly Labelled<ObjectRead<E>>[] =>
      pools.flatMap((pool) => {
        const subject = part(pool);
        return subject === undefined ? [] : [{ labels: poolLabels(pool), subject }];
      }),
    metrics: metricsOf(schema, prefix),
  };
}

/** The family of one field whose values have a series each. */
export function labelledFamilyOf<S extends AnySchema & { readonly labelled: LabelledMetric }>(
  schema: S,
  prefix: string,
  field: (pool: PoolReading) => Read<S> | undefined,
  countsOf: (value: Read<S>) => Readonly<Record<string, unknown>>,
) {
  const { label, ...spec } = schema.labelled;
  const counted: Metric<number> = { ...metricOf('', spec, prefix), read: (count) => count };
  return {
    labels: [...POOL_LABELS, label],
    subjectsOf: ({ pools }: Reading): readonly Labelled<number>[] =>
      pools.flatMap((pool) => {
        const value = field(pool);
        if (value === undefined) return [];
        return Object.entries(countsOf(value)).flatMap(([what, subject]) =>
          typeof subject === 'number' ? [{ labels: [...poolLabels(pool), what], subject }] : [],
        );
      }),
    metrics: { counted },
  } satisfies Family<number>;
}

function metricOf<Subject>(field: string, spec: FieldMetric, prefix: string): Metric<Subject> {
  const { name, inSqlAlchemy = false, factor = 1, ...rest } = spec;
  return {
    ...rest,
    name: prefix + name,
    ...(inSqlAlchemy ? { alias: { compat: 'sqlalchemy', name: SQLALCHEMY_PREFIX + name } } : {}),
    read(subject) {
      const value = (subject as Readonly<Record<string, number | HistogramSnapshot | null>>)[field] ?? null;
      return typeof value === 'number' ? value * factor : value;
    },
  };
}
