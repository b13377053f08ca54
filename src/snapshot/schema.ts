import * as v from 'valibot';
import { cut, type Fields, isObject, MOST_ITEMS, unknownFields } from './bounds.js';
import type { FieldMetric, LabelledMetric } from './metric.js';

/**
 * The shape of a value. `Made` is what this version writes. `Read` is what it finds in the output of any version: a
 * field that another version may not write is null there.
 *
 * Valibot does the work, but the types do not name it, so that the types of the package depend on nothing else.
 */
export interface Schema<Made, Read = Made> {
  /** Valibot's schema. */
  readonly engine: unknown;
  /** Exists only for the compiler. */
  readonly types?: { readonly made: Made; readonly read: Read };
}

export type AnySchema = Schema<unknown, unknown>;
export type Made<S extends AnySchema> = NonNullable<S['types']>['made'];
export type Read<S extends AnySchema> = NonNullable<S['types']>['read'];

type Optional = { readonly isOptional: true };

/** Fields by their names. */
export type Entries = Readonly<Record<string, AnySchema>>;

export interface ObjectSchema<E extends Entries> extends Schema<ObjectMade<E>, ObjectRead<E>> {
  readonly entries: E;
}

type Flat<T> = { readonly [K in keyof T]: T[K] };
type ObjectMade<E extends Entries> = Flat<
  { readonly [K in keyof E as E[K] extends Optional ? never : K]: Made<E[K]> } & {
    readonly [K in keyof E as E[K] extends Optional ? K : never]?: Made<E[K]>;
  }
>;
export type ObjectRead<E extends Entries> = Flat<
  { readonly [K in keyof E as E[K] extends Optional ? never : K]: Read<E[K]> } & {
    readonly [K in keyof E as E[K] extends Optional ? K : never]?: Read<E[K]>;
  }
>;

/** The value as a schema reads it; null where it does not have that shape. */
export function readAs<S extends AnySchema>(schema: S, value: unknown): Read<S> | null {
  const result = v.safeParse(engineOf(schema), value);
  return result.success ? (result.output as Read<S>) : null;
}

// ---- single values ---------------------------------------------------------------------------------------------

/** Text, cut at a limit. */
export const text = schema<string>(v.pipe(v.string(), v.transform(cut)));

/** A finite number. */
export const figure = schema<number>(v.pipe(v.number(), v.finite()));

/** A finite number from 0. Usually whole, but an endpoint of metrics may report a mean. */
export const amount = schema<number>(v.pipe(v.number(), v.finite(), v.minValue(0)));

/** A whole number from 0. */
export const count = schema<number>(v.pipe(v.number(), v.safeInteger(), v.minValue(0)));

export const integer = schema<number>(v.pipe(v.number(), v.safeInteger()));

/** A network port. */
export const port = schema<number>(v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(65_535)));

export const flag = schema<boolean>(v.boolean());

/** false unless it says true. */
export const isTrue = schema<boolean>(v.fallback(v.boolean(), false));

export function literal<const T extends string | number>(value: T): Schema<T> {
  return schema<T>(v.literal(value));
}

/** One of these words. Another version may write others. */
export function word<const T extends string>(_words: readonly T[]): Schema<T, string> {
  return text as Schema<T, string>;
}

export function either<A extends AnySchema, B extends AnySchema>(
  one: A,
  other: B,
): Schema<Made<A> | Made<B>, Read<A> | Read<B>> {
  return schema(v.union([engineOf(one), engineOf(other)]));
}

// ---- what may be missing ---------------------------------------------------------------------------------------

/** null where it is not measured. */
export function orNull<S extends AnySchema>(of: S): Schema<Made<S> | null, Read<S> | null> {
  return schema(v.fallback(v.nullable(engineOf(of)), null));
}

/** null, or the whole of it: a malformed value makes what it belongs to malformed. */
export function nullOr<S extends AnySchema>(of: S): Schema<Made<S> | null, Read<S> | null> {
  return schema(v.nullable(engineOf(of)));
}

/** This version always writes it; null where another one did not. */
export function told<S extends AnySchema>(of: S): Schema<Made<S>, Read<S> | null> {
  return orNull(of) as Schema<Made<S>, Read<S> | null>;
}

/**
 * A pool always measures it; null where the source of a reading cannot tell. A malformed or absent value makes what it
 * belongs to malformed.
 */
export function measured<S extends AnySchema>(of: S): Schema<Made<S>, Read<S> | null> {
  return nullOr(of) as Schema<Made<S>, Read<S> | null>;
}

/** An object whose fields are all null where it is absent or malformed. */
export function orBlank<E extends Entries>(of: ObjectSchema<E>): ObjectSchema<E> {
  const engine = engineOf(of);
  return { ...of, engine: v.fallback(engine, () => v.parse(engine, {})) };
}

/** A part that may be absent. A malformed one counts as absent. */
export function optional<S extends AnySchema>(of: S): Schema<Made<S>, Read<S>> & Optional {
  const engine = engineOf(of);
  const present = v.transform((value: unknown) => {
    const result = v.safeParse(engine, value);
    return result.success ? result.output : undefined;
  });
  return { engine: v.optional(v.pipe(v.unknown(), present)), isOptional: true };
}

// ---- several values --------------------------------------------------------------------------------------------

/** A list, cut at a limit. Malformed items are left out, and anything but a list counts as an empty one. */
export function list<S extends AnySchema>(of: S): Schema<readonly Made<S>[], readonly Read<S>[]> {
  const engine = engineOf(of);
  const items = v.transform((all: unknown[]) =>
    all.slice(0, MOST_ITEMS).flatMap((item) => {
      const result = v.safeParse(engine, item);
      return result.success ? [result.output] : [];
    }),
  );
  return schema(
    v.pipe(
      v.fallback(v.array(v.unknown()), () => []),
      items,
    ),
  );
}

/** A list that is malformed as a whole if one of its items is. */
export function listOfAll<S extends AnySchema>(of: S): Schema<readonly Made<S>[], readonly Read<S>[]> {
  return schema(v.pipe(v.array(engineOf(of)), v.maxLength(MOST_ITEMS)));
}

export function pair<A extends AnySchema, B extends AnySchema>(
  one: A,
  other: B,
): Schema<readonly [Made<A>, Made<B>], readonly [Read<A>, Read<B>]> {
  return schema(v.tuple([engineOf(one), engineOf(other)]));
}

/**
 * An object with these fields. Fields that are not among them come from a newer version: they are kept, up to limits,
 * so that a recording loses nothing.
 */
export function object<const E extends Entries>(entries: E): ObjectSchema<E> {
  const engine = v.looseObject(
    Object.fromEntries(Object.entries(entries).map(([name, of]) => [name, engineOf(of)])),
  );
  const optionals = Object.entries(entries).flatMap(([name, of]) => ('isOptional' in of ? [name] : []));
  const known = v.transform((value: Fields) => {
    const picked: Record<string, unknown> = {};
    for (const name in entries) if (Object.hasOwn(value, name)) picked[name] = value[name];
    return { ...picked, ...unknownFields(value, entries) };
  });
  const present = v.transform((value: Record<string, unknown>) => {
    for (const name of optionals) if (value[name] === undefined) delete value[name];
    return value;
  });
  return {
    ...schema<ObjectMade<E>, ObjectRead<E>>(v.pipe(v.custom<Fields>(isObject), known, engine, present)),
    entries,
  };
}

/** Values by names that are not known in advance. Malformed values are left out. */
export function record<S extends AnySchema>(
  of: S,
): Schema<Readonly<Record<string, Made<S>>>, Readonly<Record<string, Read<S>>>> {
  const engine = engineOf(of);
  const good = v.transform((value: Fields) =>
    Object.fromEntries(
      Object.entries(unknownFields(value, {}, MOST_ITEMS) ?? {}).flatMap(([name, item]) => {
        const result = v.safeParse(engine, item);
        return result.success ? [[name, result.output]] : [];
      }),
    ),
  );
  return schema(v.fallback(v.pipe(v.custom<Fields>(isObject), good), () => ({})));
}

/** How often each of these things has happened. */
export function tally<const Name extends string>(
  names: readonly Name[],
): Schema<Readonly<Record<Name, number>>, Readonly<Record<Name, number | null>>> {
  return orBlank(object(Object.fromEntries(names.map((name) => [name, told(count)])))) as never;
}

/** An object that is written with some of its fields grouped under a name, and read with all of them side by side. */
export function grouped<const Group extends string, const I extends Entries, const E extends Entries>(
  group: Group,
  inner: ObjectSchema<I>,
  outer: E,
): Schema<ObjectMade<E> & { readonly [G in Group]: ObjectMade<I> }, ObjectRead<I & E>> {
  const ungrouped = v.transform((value: unknown) => {
    if (!isObject(value)) return value;
    const { [group]: members, ...rest } = value;
    return isObject(members) ? { ...members, ...rest } : value;
  });
  return schema(v.pipe(v.unknown(), ungrouped, engineOf(object({ ...inner.entries, ...outer }))));
}

// ---- metrics ---------------------------------------------------------------------------------------------------

export function metered<S extends AnySchema, const M extends FieldMetric>(
  metric: M,
  of: S,
): S & { readonly metric: M } {
  return { ...of, metric };
}

export function meteredBy<S extends AnySchema>(
  label: string,
  metric: FieldMetric,
  of: S,
): S & { readonly labelled: LabelledMetric } {
  return { ...of, labelled: { ...metric, label } };
}

// ---- inside ----------------------------------------------------------------------------------------------------

type Engine = v.GenericSchema<unknown, unknown>;

function schema<M, R = M>(engine: unknown): Schema<M, R> {
  return { engine };
}

function engineOf(of: AnySchema): Engine {
  return of.engine as Engine;
}
