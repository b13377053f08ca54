// The names that show what a call outside of the project does with a lease.

/** Go through a collection with a function. */
export const EACH = new Set([
  'forEach',
  'map',
  'flatMap',
  'filter',
  'some',
  'every',
  'find',
  'reduce',
  'mapSeries',
  'each',
]);
/** Their arguments run at any later time. */
export const LISTENS = /^(on|once|(add|prepend)\w*Listener|subscribe|(after|before)[A-Z]\w*|hook\w*)$/;
/** Events of what has come to its end well. */
export const SUCCESS: ReadonlySet<string> = new Set(['end', 'finish', 'done', 'complete', 'completed']);
/** Run what they are given once more, later. */
export const SCHEDULES =
  /^(setTimeout|setInterval|setImmediate|nextTick|queueMicrotask|requestAnimationFrame)$/;
/** Call what they are given when they are done, in any case. */
export const CALLS_BACK = /^(close|end|destroy|quit|finish|stop|cancel|commit|rollback|abort|flush|finally)$/;
/** Methods of `Promise`. */
export const COMBINES = new Set(['all', 'allSettled', 'race', 'any']);
/** Put it into a collection. */
export const STORES = new Set(['push', 'unshift', 'add', 'set', 'enqueue', 'assign', 'append']);
/** Give an element. */
export const READS = new Set(['get', 'pop', 'shift', 'at', 'find', 'dequeue']);
/** Give the collection, or a part of it. */
export const READS_ALL = new Set([
  'values',
  'slice',
  'splice',
  'filter',
  'concat',
  'reverse',
  'toSorted',
  'toReversed',
  'flat',
]);
/** Give the lease itself, in another form. */
export const SAME_THING = new Set(['bind', 'promise', 'asPromise', 'resolve', 'as', 'asSession']);
/** A helper of this name may release what it is given. */
export const RELEASING =
  /^(_|\$)?(safe(ly)?|maybe|try|close|end|force)?_?(release|close|end|destroy|dispose|free|return|giveBack|checkin|disconnect|shutdown|cleanup|finish|drop|discard|tearDown|recycle)/i;
/** Their results contain the lease. */
export const WRAPPING =
  /^(wrap|create|make|build|from|to|drizzle|new|as|promisify|decorate|proxy|bless)(?![a-z])/;
/** Names of calls that take a lease to keep it. */
export const ATTACHING =
  /^(connect|attach|register|adopt|own|manage|track|set(Client|Connection|Session)|defineProperty)$/;
/** A parameter of this name is called with the result. */
export const CALLBACK = /^(cb|callback|next|done|resolve|fulfill|onConnection|onConnect)$/i;
/** The methods that `using` and `await using` call. */
export const DISPOSERS: ReadonlySet<string> = new Set(['[Symbol.dispose]', '[Symbol.asyncDispose]']);
/** A helper of this name ends what it is given, or finishes the work on it. */
const ENDING =
  /(release|close|end|destroy|dispose|finish|finalize|complete|done|commit|rollback|abort|undo|cancel|quit|stop|teardown|cleanup|disconnect)/i;

/** Whether a method of this name ends the object that it is called on. */
export function isCloser(name: string): boolean {
  return DISPOSERS.has(name) || RELEASING.test(name);
}

/** The same of a name whose words are set apart: `end_session`, and not `get_vendor`. */
export function saysInWords(name: string): boolean {
  return name.split(/_|(?=[A-Z])/).some((word) => ENDING_WORD.test(word));
}

const ENDING_WORD =
  /^(release|close|end|destroy|dispose|finish|finalize|complete|done|commit|rollback|abort|undo|cancel|quit|stop|teardown|cleanup|clean|disconnect|put|return)$/i;

/** Whether a name says that something is ended. */
export function saysItEnds(name: string): boolean {
  return ENDING.test(name) && !/^(send|append|extend|render|depend|pending)/i.test(name);
}
