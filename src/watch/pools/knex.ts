import { performance } from 'node:perf_hooks';
import { captureSite } from '../../base/call-site.js';
import { SiteSampler } from '../../base/site-sampler.js';
import { onBehalfOf } from '../call-site.js';
import { hasMethods, hook } from '../hooking.js';

/**
 * A transaction of knex acquires its connection in a later turn, when the stack says nothing of who began it. Its
 * beginning is kept, and lent to that acquire. Other queries of knex begin when they are awaited, where no stack tells
 * by whom.
 */
export function watchTransactions(client: object): void {
  hook(
    client,
    'transaction',
    (transaction) =>
      function transactionWatched(this: object, ...args) {
        const begun = transaction.apply(this, args);
        if (hasMethods(begun, ['acquireConnection']) && sampler.turn(performance.now())) {
          keepSite(begun, captureSite(transactionWatched));
        }
        return begun;
      },
  );
}

/** All clients of a class, each as its pool is made: the dialects have a `transaction` of their own. */
export function watchKnexClass(prototype: object): void {
  hook(
    prototype,
    'initializePool',
    (initializePool) =>
      function initializePoolWatched(this: object, ...args) {
        watchTransactions(this);
        return initializePool.apply(this, args);
      },
  );
}

export function isKnexClient(value: unknown): value is object {
  return hasMethods(value, ['transaction', 'runner', 'acquireConnection', 'initializePool']);
}

const sampler = new SiteSampler(1000);

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
