import type { ts } from 'ts-morph';
import type { Entities } from '../code/entities.js';
import type { Body } from '../code/scope.js';
import type { AcquirePattern, ResourceSpec } from '../types.js';
import type { Call, Graph } from './graph.js';
import type { Liveness } from './live.js';
import type { Place } from './place.js';
import type { Interest, State } from './state.js';

/** One call that acquires a lease. */
export interface Site {
  readonly node: ts.CallExpression | ts.NewExpression;
  readonly spec: ResourceSpec;
  readonly pattern: AcquirePattern;
  /** The places of the lease in the result; `!` in front: a function that releases it when called. */
  readonly at: readonly string[];
  readonly confidence: 'high' | 'medium' | 'low';
  /** Taken for an acquire by its name, though its function is known: it counts where following that finds nothing. */
  readonly isGuess?: boolean;
  /** The argument of the call, if there is one, is probably given: then it lends nothing. */
  readonly isUnlikely?: boolean;
  /** The facts about the other parts of the result if the lease is there: `.error` is nothing. */
  readonly facts?: ReadonlyMap<string, string>;
  /** The conditions for a fresh lease: a wrapper may also return one that exists already. */
  readonly when: ReadonlyMap<Place, string>;
  /** For a wrapper of the project: its name. */
  readonly via: string | null;
  /** For an instance of a class of the project: the calls in its methods from which on it holds something. */
  readonly arms?: ReadonlySet<ts.Node>;
  /** The methods of such an instance that open it, or may close it: only they are followed. */
  readonly enters?: ReadonlySet<string>;
}

/** The graphs and the facts about functions, which walks share. */
export interface Program {
  readonly entities: Entities;
  graphOf(body: Body): Graph;
  /** All functions within a function, the outer ones first. */
  functionsIn(body: Body): readonly Body[];
  /** The node of a function's graph that makes a call. */
  nodeOfCall(body: Body, call: ts.Node): number | null;
  /** Makes the graphs of a function and of all that is in it. */
  prepare(body: Body): void;
  readonly interest: Interest;
  /** The calls that are known to acquire something: what they give is never nothing. */
  readonly acquires: ReadonlySet<ts.Node>;
  liveIn(body: Body): Liveness;
  idOf(body: Body): string;
  /** The function of an id, where it is one that was met. */
  bodyOf(id: string): Body | null;
  traitsOf(body: Body): Traits;
  /** The traits of the project's function that a call runs; null if it is not known. */
  calleeTraits(call: Call['node']): Traits | null;
}

export interface Traits {
  /** Ends the process on every path. */
  readonly exits: boolean;
  /** Has a throw statement outside of any try. */
  readonly throws: boolean;
  /** Never returns: it throws on every path. */
  readonly onlyThrows: boolean;
  readonly isAsync: boolean;
  /** Cannot fail as far as can be told: it waits for nothing that may, and throws nothing. */
  readonly isQuiet: boolean;
  /** Cannot fail at all: nothing that it does throws or waits. */
  readonly isSafe: boolean;
  /** Only writes to a log. */
  readonly isLogger: boolean;
}

export interface Exits {
  readonly returned: readonly State[];
  readonly thrown: readonly State[];
}

export interface Outcome {
  readonly next: readonly State[];
  readonly thrown?: readonly State[];
  /** Thrown where no handler of this function is around any more. */
  readonly detached?: readonly State[];
}

/**
 * How likely a call is to throw. `ordinary`: a query, other work, a check of input. `protocol`: what opens and closes
 * connections and transactions, or plain computing; only the strictest reader wants to hear of it. `never`: no
 * one guards against it.
 */
export type Raise = 'ordinary' | 'protocol' | 'never';

export interface RaiseContext {
  /** Whether the lease is what the call is about: called on it, or handed to it. */
  readonly onLease: boolean;
  readonly isSyncLease: boolean;
  readonly protocol: readonly string[];
  /** The traits of the called function; null if it does not belong to the project. */
  readonly callee: Pick<Traits, 'throws' | 'onlyThrows' | 'isAsync' | 'isLogger' | 'isQuiet'> | null;
}
