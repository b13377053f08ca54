import { Session } from 'node:inspector';

/** The variables that a function has closed over, and what a bound function is bound to. */
export interface Scopes extends Disposable {
  of(fn: object): readonly unknown[];
}

interface Remote {
  readonly objectId?: string;
  readonly type?: string;
}
interface Property {
  readonly name: string;
  readonly value?: Remote;
}

/** The place that hands a function over to the inspector, and gets its variables back. */
const DESK = '__poolctl_scopes__';
const GROUP = 'poolctl';
/** Internal slots whose values the program may reach from a function. */
const SLOTS = new Set(['[[Scopes]]', '[[BoundThis]]', '[[TargetFunction]]', '[[BoundArgs]]']);
interface Desk {
  fn: object | null;
  taken: unknown[];
}

/**
 * Reads closures by the inspector, from within the process: no language has a way to a closed-over variable. The calls
 * are synchronous, open no port, and need no debugger, which would slow the program down.
 */
export function openScopes(): Scopes {
  const session = new Session();
  session.connect();
  const desk: Desk = { fn: null, taken: [] };
  Object.defineProperty(globalThis, DESK, { value: desk, configurable: true });
  const take = (objectId: string, functionDeclaration: string): void =>
    session.post('Runtime.callFunctionOn', { objectId, functionDeclaration, silent: true }, () => {});
  const internals = (): readonly Property[] => {
    const found = answerOf<{ result: Remote }>((told) =>
      session.post('Runtime.evaluate', { expression: `${DESK}.fn`, objectGroup: GROUP, silent: true }, told),
    );
    const objectId = found?.result.objectId;
    if (objectId === undefined) return [];
    const answer = answerOf<{ internalProperties?: Property[] }>((told) =>
      session.post('Runtime.getProperties', { objectId, ownProperties: true }, told as () => void),
    );
    return answer?.internalProperties ?? [];
  };
  return {
    of(fn) {
      desk.fn = fn;
      desk.taken = [];
      for (const { name, value } of internals()) {
        const objectId = value?.objectId;
        if (objectId === undefined || !SLOTS.has(name)) continue;
        take(objectId, name === '[[Scopes]]' ? TAKE_ALL : TAKE_IT);
      }
      session.post('Runtime.releaseObjectGroup', { objectGroup: GROUP }, () => {});
      const { taken } = desk;
      desk.fn = null;
      desk.taken = [];
      return taken;
    },
    [Symbol.dispose]() {
      session.disconnect();
      delete (globalThis as Record<string, unknown>)[DESK];
    },
  };
}

const TAKE_IT = `function () { ${DESK}.taken.push(this); }`;
/**
 * Variables of Node's own modules, which refer to built-in functions by such names: what these modules lead to is not the
 * program's.
 */
const NODES_OWN =
  /^(?:[A-Z][A-Za-z]*Prototype[A-Z]\w+|(?:Object|Reflect)(?:Define|SetPrototype|Keys|Freeze|Create|Apply|OwnKeys)\w*|ArrayIsArray|Safe(?:Map|Set|WeakMap|PromiseAll\w*)|Number(?:IsInteger|IsNaN|ParseInt)|internalBinding|primordials|validate(?:Function|Object|String|Number|AbortSignal)|kEmptyObject|kIsNodeError|NodeError|hideStackFrames|ERR_[A-Z_]+)$/;

// The inspector has made these objects of the variables, so they have no getters. Neither they nor their list has a prototype.
const TAKE_ALL = `function () {
  for (let at = 0; at < this.length; at++) {
    const { description, object } = this[at];
    const names = description === 'Global' ? [] : Object.keys(object);
    if (!names.some((name) => ${NODES_OWN}.test(name))) for (const name of names) ${DESK}.taken.push(object[name]);
  }
}`;

/** The answer to a call within the own thread, which comes before the call returns. */
function answerOf<T>(call: (told: (error: Error | null, answer: object) => void) => void): T | null {
  let answer: T | null = null;
  call((error, given) => {
    if (error === null) answer = given as T;
  });
  return answer;
}
