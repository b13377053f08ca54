import type { ts } from 'ts-morph';
import type { Place } from './place.js';

/** A condition, as far as it can be followed from one branch to another. */
export type Test =
  | { readonly kind: 'truthy' | 'falsy'; readonly place: Place }
  | { readonly kind: 'nullish'; readonly place: Place }
  | { readonly kind: 'same'; readonly left: Place; readonly right: Place }
  /** `instanceof` and the like, by the name of the class: true of a lease of that class, unknown of other things. */
  | { readonly kind: 'is'; readonly place: Place; readonly type: string | null }
  /** `'connect' in place`: true of a lease, which has what it is asked for. */
  | { readonly kind: 'has'; readonly place: Place; readonly name: string }
  /** `typeof place === 'number'` and the like: never true of a lease. */
  | { readonly kind: 'primitive'; readonly place: Place }
  /** `<` and the like: known only of numbers that are. */
  | { readonly kind: 'compare'; readonly operator: Comparison; readonly left: Place; readonly right: Place }
  /** One more round of a loop over a collection. */
  | { readonly kind: 'each'; readonly place: Place; readonly loop: number }
  | { readonly kind: 'opaque' };

export type Comparison = '<' | '<=' | '>' | '>=';

/** The use of the promise that a call returns. */
export type Mode = 'plain' | 'awaited' | 'returned' | 'floating';

export interface Call {
  readonly node: ts.CallExpression | ts.NewExpression | ts.TaggedTemplateExpression;
  readonly isNew: boolean;
  /** The callee as a place: `this.pool.connect`. */
  readonly callee: Place;
  /** The receiver of the method; null for a plain function. */
  readonly receiver: Place | null;
  /** The method or function name, '' where there is none. */
  readonly name: string;
  readonly args: readonly Place[];
  /** The parameters that arguments name, by position; left out where they name none. */
  readonly names?: readonly (string | null)[];
  /** The function literals among the arguments, by position. */
  readonly closures: readonly (ts.SignatureDeclaration | null)[];
  /** The callee itself, where that is a function literal. */
  readonly inline: ts.SignatureDeclaration | null;
  readonly to: Place;
  readonly mode: Mode;
  /** The function that runs, if it is not the callee of the node: a named function that was passed to a promise. */
  readonly handler?: ts.Expression;
}

export type Op =
  | { readonly kind: 'nop' }
  /** A move empties the source: a temporary is read once. */
  | { readonly kind: 'copy'; readonly to: Place; readonly from: Place; readonly move: boolean }
  | { readonly kind: 'branch'; readonly test: Test }
  | { readonly kind: 'call'; readonly call: Call }
  | { readonly kind: 'await'; readonly from: Place }
  /** The end of a `using` declaration; `given`: the functions that its value was made of, `using _ = defer(() => ...)`. */
  | { readonly kind: 'dispose'; readonly place: Place; readonly given: readonly ts.SignatureDeclaration[] }
  | { readonly kind: 'return' }
  | { readonly kind: 'throw' }
  /** `reject(error)` of a promise's executor: the code goes on, and the promise has failed. */
  | { readonly kind: 'reject' }
  /** `this.depth++`; by null where it is not known how much. */
  | { readonly kind: 'count'; readonly place: Place; readonly by: number | null };

export interface FlowNode {
  readonly op: Op;
  readonly ast: ts.Node;
  /** The nodes that follow; a branch has two: [true, false]. Empty if the path ends. */
  readonly next: number[];
  /** The node that follows if it throws. */
  readonly thrown: number;
}

/** The ends of a function, which are the first nodes of every graph. */
export const RETURNED = 0;
export const THROWN = 1;
export const START = 2;

export interface Graph {
  readonly nodes: readonly FlowNode[];
  /** Parameters in order: the place that each argument goes to. */
  readonly params: readonly Place[];
  readonly result: Place;
  /** For every node the places that it tests, reads into others, or hands to functions. */
  readonly uses: readonly (readonly Place[])[];
  /** The same, and what it calls or waits for: all that may still be read. */
  readonly reads: readonly (readonly Place[])[];
  /** The parameters that are given other values. */
  readonly reassigned: ReadonlySet<Place>;
}
