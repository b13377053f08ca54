// The JSON Schemas of what commands print as JSON, from the types of these documents.
import { join } from 'node:path';
import ts from 'typescript-6';

const root = join(import.meta.dirname, '../..');

/**
 * Every document: its name, and the type that it has in the code.
 * @type {Readonly<Record<string, readonly [file: string, type: string]>>}
 */
export const DOCUMENTS = {
  'audit-leaks': ['src/audit/types.ts', 'AuditResult'],
  'audit-leaks-baseline': ['src/audit/baseline.ts', 'Baseline'],
  loadtest: ['src/loadtest/result.ts', 'LoadResult'],
  'loadtest-sweep': ['src/loadtest/sweep.ts', 'SweepResult'],
  'loadtest-baseline': ['src/loadtest/baseline.ts', 'BaselineResult'],
  'loadtest-feed': ['src/loadtest/feed/types.ts', 'FeedLoadResult'],
  size: ['src/sizing/types.ts', 'SizeResult'],
  compare: ['src/loadtest/compare.ts', 'Comparison'],
  doctor: ['src/doctor/types.ts', 'DoctorResult'],
  health: ['src/health/check.ts', 'HealthReport'],
  top: ['src/top/report.ts', 'TopLine'],
  'top-recording': ['src/top/recording.ts', 'RecordingLine'],
  'pgbouncer-init': ['src/report/pgbouncer/init.ts', 'InitResult'],
  'pgbouncer-show': ['src/report/pgbouncer/show.ts', 'ShowDocument'],
  'pgbouncer-admin': ['src/report/pgbouncer/admin.ts', 'AdminResult'],
  'metrics-serve': ['commands/metrics-serve.ts', 'ServingDocument'],
  'ib-gateway': ['commands/ib-gateway.ts', 'GatewayDocument'],
  'ib-ping': ['commands/ib-ping.ts', 'PingDocument'],
  'ib-stress': ['src/lab/ib-stress/types.ts', 'IbStressResult'],
  'ib-stress-list': ['commands/ib-stress.ts', 'ScenarioListDocument'],
  'ws-stress': ['src/lab/ws-stress/types.ts', 'StressResult'],
  init: ['src/setup/types.ts', 'SetupDocument'],
  'print-config': ['src/cli/print-config.ts', 'ConfigDocument'],
};

/** @typedef {{ [key: string]: unknown }} Schema */

/** @returns {Readonly<Record<string, Schema>>} */
export function outputSchemas() {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
  const files = [...new Set(Object.values(DOCUMENTS).map(([file]) => join(root, file)))];
  const program = ts.createProgram(files, { ...options, checkJs: false });
  const checker = program.getTypeChecker();
  return Object.fromEntries(
    Object.entries(DOCUMENTS).map(([name, [file, type]]) => {
      const source = program.getSourceFile(join(root, file));
      const module = source && checker.getSymbolAtLocation(source);
      const symbol = module && checker.getExportsOfModule(module).find((one) => one.name === type);
      if (symbol === undefined) throw new Error(`${file} exports no ${type}`);
      return [name, documentSchema(checker, checker.getDeclaredTypeOfSymbol(symbol), name)];
    }),
  );
}

/**
 * @param {ts.TypeChecker} checker
 * @param {ts.Type} type
 * @param {string} name
 * @returns {Schema}
 */
function documentSchema(checker, type, name) {
  /** @type {Map<ts.Type, string>} */
  const names = new Map();
  /** @type {Record<string, Schema>} */
  const definitions = {};
  const body = schemaOf(type, name, true);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `poolctl: ${name}`,
    ...body,
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }),
  };

  /**
   * @param {ts.Type} of
   * @param {string} path for errors
   * @param {boolean} isRoot
   * @returns {Schema}
   */
  function schemaOf(of, path, isRoot = false) {
    const { flags } = of;
    if (flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return {};
    if (flags & ts.TypeFlags.Null) return { type: 'null' };
    if (flags & ts.TypeFlags.BooleanLiteral) return { const: checker.typeToString(of) === 'true' };
    if (flags & ts.TypeFlags.BooleanLike) return { type: 'boolean' };
    if (of.isStringLiteral() || of.isNumberLiteral()) return { const: of.value };
    if (flags & ts.TypeFlags.StringLike) return { type: 'string' };
    if (flags & ts.TypeFlags.NumberLike) return { type: 'number' };
    if (of.isUnion()) return unionOf(of.types, path);
    if (checker.isTupleType(of)) {
      const items = checker.getTypeArguments(/** @type {ts.TypeReference} */ (of));
      return {
        type: 'array',
        prefixItems: items.map((item) => schemaOf(item, path)),
        minItems: items.length,
        items: false,
      };
    }
    if (checker.isArrayType(of)) {
      const [item] = checker.getTypeArguments(/** @type {ts.TypeReference} */ (of));
      return { type: 'array', items: item === undefined ? {} : schemaOf(item, `${path}[]`) };
    }
    if (of.getCallSignatures().length > 0) throw new Error(`${path} is a function, which JSON does not have`);
    if (!(flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)))
      throw new Error(`${path}: no schema for ${checker.typeToString(of)}`);
    return isRoot ? objectOf(of, path) : namedOf(of, path);
  }

  /**
   * @param {readonly ts.Type[]} types
   * @param {string} path
   * @returns {Schema}
   */
  function unionOf(types, path) {
    const schemas = types
      .filter((one) => !(one.flags & ts.TypeFlags.Undefined))
      .map((one) => schemaOf(one, path));
    // The compiler's own order of the members changes with code that has nothing to do with them.
    const constants = schemas.flatMap((one) => ('const' in one ? [one.const] : [])).sort();
    const isBoolean = constants.includes(true) && constants.includes(false);
    const words = isBoolean ? constants.filter((one) => typeof one !== 'boolean') : constants;
    const names = [
      ...schemas.filter(isPlain).map(({ type }) => String(type)),
      ...(isBoolean ? ['boolean'] : []),
    ].sort((one, other) => Number(one === 'null') - Number(other === 'null') || (one < other ? -1 : 1));
    const all = [
      ...schemas
        .filter((one) => !('const' in one) && !isPlain(one))
        .sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1)),
      ...(words.length > 1 ? [{ enum: words }] : words.map((one) => ({ const: one }))),
      ...(names.length > 1 ? [{ type: names }] : names.map((one) => ({ type: one }))),
    ];
    const [only] = all;
    return all.length === 1 && only !== undefined ? only : { anyOf: all };
  }

  /**
   * @param {ts.Type} of
   * @param {string} path
   * @returns {Schema}
   */
  function namedOf(of, path) {
    const own = of.aliasSymbol?.name ?? of.symbol?.name ?? '';
    if (own === '' || own.startsWith('__')) return objectOf(of, path);
    let known = names.get(of);
    if (known === undefined) {
      known = own;
      for (let at = 2; known in definitions; at++) known = `${own}${at}`;
      names.set(of, known);
      definitions[known] = {};
      definitions[known] = objectOf(of, path);
    }
    return { $ref: `#/$defs/${known}` };
  }

  /**
   * @param {ts.Type} of
   * @param {string} path
   * @returns {Schema}
   */
  function objectOf(of, path) {
    if (path.split('.').length > 30) throw new Error(`${path} has no end`);
    const index = checker.getIndexTypeOfType(of, ts.IndexKind.String);
    /** @type {Record<string, Schema>} */
    const properties = {};
    const required = [];
    for (const property of checker.getPropertiesOfType(of)) {
      const type = checker.getTypeOfSymbol(property);
      const mayMiss =
        (property.flags & ts.SymbolFlags.Optional) !== 0 ||
        (type.isUnion() && type.types.some((one) => one.flags & ts.TypeFlags.Undefined));
      const description = ts.displayPartsToString(property.getDocumentationComment(checker)).trim();
      properties[property.name] = {
        ...(description === '' ? {} : { description }),
        ...schemaOf(type, `${path}.${property.name}`),
      };
      if (!mayMiss) required.push(property.name);
    }
    const names = Object.keys(properties);
    return {
      type: 'object',
      ...(names.length === 0 ? {} : { properties }),
      ...(required.length === 0 ? {} : { required }),
      additionalProperties: index === undefined ? false : schemaOf(index, `${path}.*`),
    };
  }
}

/**
 * Whether a schema is only the name of a type.
 * @param {Schema} schema
 */
function isPlain(schema) {
  return typeof schema.type === 'string' && Object.keys(schema).length === 1;
}
