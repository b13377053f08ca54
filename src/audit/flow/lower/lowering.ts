import type { ts } from 'ts-morph';
import type { Body } from '../../code/scope.js';
import { type FlowNode, type Op, RETURNED, type Test, THROWN } from '../graph.js';
import { isPlace, type Place } from '../place.js';

/** Gives every function its id, the same for the whole audit. */
export interface Names {
  idOf(body: Body): string;
}

/** An edge that still needs its end. */
export interface Tail {
  readonly node: number;
  readonly way: 0 | 1;
}

export type Frame =
  | {
      readonly kind: 'loop' | 'switch' | 'label';
      readonly label: string | null;
      readonly breaks: Tail[];
      readonly continueAt: number | null;
    }
  | {
      readonly kind: 'finally';
      readonly finish: () => void;
      readonly outerThrown: number;
      /** The node where returns enter their copy of the finally block. */
      returnAt: number | null;
    };

/**
 * Each finally block is copied for every way into it. A block within a block within a block is so for each copy of the
 * outer ones: from here on there is one copy, or the graph of 20 levels would have a billion nodes.
 */
const MOST_FINISHING = 3;

/** The graph of one function while it is made: its nodes, open edges, and the blocks around. */
export class Lowering {
  readonly body: Body;
  readonly names: Names;
  readonly id: string;
  readonly nodes: FlowNode[] = [];
  tails: Tail[] = [];
  thrown = THROWN;
  frames: Frame[] = [];
  temporaries = 0;
  /** How many finally blocks are being copied, each in the one before. */
  #finishing = 0;

  constructor(body: Body, names: Names) {
    this.body = body;
    this.names = names;
    this.id = names.idOf(body);
  }

  get result(): Place {
    return `${this.id}|%result`;
  }

  // --- nodes and edges

  add(op: Op, ast: ts.Node): number {
    this.nodes.push({ op, ast, next: [], thrown: this.thrown });
    return this.nodes.length - 1;
  }

  emit(op: Op, ast: ts.Node): number {
    const node = this.add(op, ast);
    this.connect(node);
    this.tails = [{ node, way: 0 }];
    return node;
  }

  connect(to: number, tails: readonly Tail[] = this.tails): void {
    for (const { node, way } of tails) (this.nodes[node] as FlowNode).next[way] = to;
    if (tails === this.tails) this.tails = [];
  }

  /** A node that edges can go to before it is reached. */
  label(ast: ts.Node): number {
    return this.add({ kind: 'nop' }, ast);
  }

  /** Goes on from a label, besides from where it is. */
  join(label: number): void {
    this.connect(label);
    this.tails = [{ node: label, way: 0 }];
  }

  copy(to: Place, from: Place, ast: ts.Node, move = false): void {
    // A variable that is read keeps what it has, whatever is made of the value.
    const empties = move && from.includes('|%');
    if (to !== from && isPlace(to)) this.emit({ kind: 'copy', to, from, move: empties }, ast);
  }

  temporary(): Place {
    return `${this.id}|%${this.temporaries++}`;
  }

  branch(test: Test, ast: ts.Node): { yes: Tail[]; no: Tail[] } {
    const node = this.emit({ kind: 'branch', test }, ast);
    return { yes: [{ node, way: 0 }], no: [{ node, way: 1 }] };
  }

  /** Leaves the function through the finally blocks around; all returns share one copy of each. */
  goReturn(): void {
    const depth = this.frames.findLastIndex(({ kind }) => kind === 'finally');
    const frame = this.frames[depth];
    if (frame?.kind !== 'finally') {
      this.connect(RETURNED);
      return;
    }
    if (frame.returnAt !== null) {
      this.connect(frame.returnAt);
      return;
    }
    frame.returnAt = this.label(this.body);
    this.join(frame.returnAt);
    this.outside(depth, frame.outerThrown, () => {
      frame.finish();
      this.goReturn();
    });
  }

  /** Runs the finally blocks between here and a frame, then `arrive`. */
  through(depth: number, arrive: () => void): void {
    const at = this.frames.findLastIndex(({ kind }, index) => kind === 'finally' && index > depth);
    const frame = this.frames[at];
    if (frame?.kind !== 'finally') {
      arrive();
      return;
    }
    this.outside(at, frame.outerThrown, () => {
      frame.finish();
      this.through(depth, arrive);
    });
  }

  outside(depth: number, thrown: number, work: () => void): void {
    const [frames, before] = [this.frames, this.thrown];
    this.frames = frames.slice(0, depth);
    this.thrown = thrown;
    work();
    this.frames = frames;
    this.thrown = before;
  }

  withFinally(work: () => void, finish: () => void): void {
    if (this.#finishing >= MOST_FINISHING) {
      this.#withSharedFinally(work, finish);
      return;
    }
    const finishOnce = (): void => {
      this.#finishing++;
      finish();
      this.#finishing--;
    };
    const outerThrown = this.thrown;
    const landing = this.label(this.body);
    const frame: Frame = { kind: 'finally', finish: finishOnce, outerThrown, returnAt: null };
    this.frames.push(frame);
    this.thrown = landing;
    work();
    this.thrown = outerThrown;
    this.frames.pop();
    finishOnce();
    const after = this.tails;
    this.tails = [{ node: landing, way: 0 }];
    finishOnce();
    this.connect(outerThrown);
    this.tails = after;
  }

  /** One copy of the block for all ways into it. What it leads to is either way out, whichever led in. */
  #withSharedFinally(work: () => void, finish: () => void): void {
    const outerThrown = this.thrown;
    const landing = this.label(this.body);
    this.frames.push({ kind: 'finally', finish: () => this.connect(landing), outerThrown, returnAt: null });
    this.thrown = landing;
    work();
    this.thrown = outerThrown;
    this.frames.pop();
    this.join(landing);
    finish();
    const { yes, no } = this.branch({ kind: 'opaque' }, this.body);
    this.connect(outerThrown, no);
    this.tails = yes;
  }
}
