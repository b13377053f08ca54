import { captureSite } from '../base/call-site.js';
import { carry, onBehalfOf, sampledSite } from './call-site.js';
import { hasMethods, hook, isObject } from './hooking.js';

/** On a builder of knex, and on one of objection: where it was made; null where that was not recorded. */
const MADE_AT = Symbol('poolctl.madeAt');
type Built = { [MADE_AT]?: Error | null };

/**
 * A query of knex acquires its connection when it is awaited, in a turn whose stack says nothing of who built it. The place where
 * a builder is made is kept, and carried to that acquire. A transaction acquires in a later turn, too.
 */
export function watchKnexClient(client: object): void {
  hook(
    client,
    'transaction',
    (transaction) =>
      function transactionWatched(this: object, ...args) {
        const begun = transaction.apply(this, args);
        if (hasMethods(begun, ['acquireConnection']))
          keepSite(begun, captureSite(transactionWatched, FRAMES));
        return begun;
      },
  );
  for (const name of ['queryBuilder', 'raw', 'schemaBuilder']) keepMaking(client, name);
  hook(
    client,
    'runner',
    (runner) =>
      function runnerWatched(this: object, ...args) {
        const made = runner.apply(this, args);
        if (hasMethods(made, ['run'])) watchRunner(Object.getPrototypeOf(made) as object);
        return made;
      },
  );
}

/**
 * All clients of a class, each when its pool is created: the dialects have their own `transaction`. Calls `met` with
 * the pool.
 */
export function watchKnexClass(prototype: object, met: (pool: object) => void): void {
  hook(
    prototype,
    'initializePool',
    (initializePool) =>
      function initializePoolWatched(this: object, ...args) {
        watchKnexClient(this);
        const made = initializePool.apply(this, args);
        // The pool within a bundle is of a class that was not met before.
        if ('pool' in this && isObject(this.pool)) met(this.pool);
        return made;
      },
  );
}

export function isKnexClient(value: unknown): value is object {
  return hasMethods(value, ['transaction', 'runner', 'acquireConnection', 'initializePool']);
}

const FRAMES = 30;

function keepSite(transaction: object, site: Error): void {
  hook(
    transaction,
    'acquireConnection',
    (acquireConnection) =>
      function acquireConnectionWatched(this: object, ...args) {
        return onBehalfOf(site, () => acquireConnection.apply(this, args));
      },
  );
}

function keepMaking(target: object, name: string): void {
  hook(
    target,
    name,
    (make) =>
      function makeWatched(this: object, ...args) {
        const built = make.apply(this, args);
        noteMadeAt(built, sampledSite(makeWatched));
        return built;
      },
  );
}

function noteMadeAt(built: unknown, site: Error | null): void {
  if (typeof built !== 'object' || built === null) return;
  Object.defineProperty(built, MADE_AT, { value: site, configurable: true });
}

function watchRunner(prototype: object): void {
  hook(
    prototype,
    'run',
    (run) =>
      function runWatched(this: { readonly builder?: Built }, ...args) {
        const site = this.builder?.[MADE_AT];
        return site === undefined ? run.apply(this, args) : carry(site, () => run.apply(this, args));
      },
  );
}

/** The class of objection's query builders: it is made at once, and run when it is awaited. */
export function watchObjection(builderClass: object): void {
  if (!('prototype' in builderClass) || !hasMethods(builderClass.prototype, ['execute', 'toKnexQuery']))
    return;
  keepMaking(builderClass, 'forClass');
  hook(
    builderClass.prototype,
    'execute',
    (execute) =>
      function executeWatched(this: Built, ...args) {
        const site = this[MADE_AT];
        return site === undefined ? execute.apply(this, args) : carry(site, () => execute.apply(this, args));
      },
  );
}

/** A Sequelize acquires within a retry, behind which no stack leads to its caller. */
export function watchSequelize(prototype: object): void {
  if (!hasMethods(prototype, ['query', 'getQueryInterface', 'transaction', 'define'])) return;
  hook(
    prototype,
    'query',
    (query) =>
      function queryWatched(this: object, ...args) {
        return carry(sampledSite(queryWatched), () => query.apply(this, args));
      },
  );
}

/** A pool of mssql makes its tarn as it connects; within a bundle that is of a class that was not met before. */
export function watchMssql(prototype: object, met: (pool: object) => void): void {
  if (!hasMethods(prototype, ['_acquire', '_poolCreate', '_poolValidate', '_poolDestroy'])) return;
  hook(
    prototype,
    '_acquire',
    (acquire) =>
      function acquireWatched(this: object, ...args) {
        if ('pool' in this && isObject(this.pool)) met(this.pool);
        return acquire.apply(this, args);
      },
  );
}
