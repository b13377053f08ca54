import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Entities } from '../../src/audit/code/entities.js';
import { Project } from '../../src/audit/code/project.js';
import type { Body } from '../../src/audit/code/scope.js';
import { type FlowNode, type Graph, RETURNED, START } from '../../src/audit/flow/graph.js';
import { Functions } from '../../src/audit/flow/program.js';
import { judge } from '../../src/audit/leaks.js';
import { RESOURCES } from '../../src/audit/resources/index.js';
import { findSites, Resources } from '../../src/audit/sites.js';
import { type Block, functions, leaksOf, print } from './small-language.js';

let file: string;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'poolctl-differential-'));
  file = join(folder, 'subject.ts');
});
afterAll(() => rmSync(folder, { recursive: true }));

type Defect = (graph: Graph) => Graph;

/** The analyzer, with something broken in the graphs that it follows. */
class Broken extends Functions {
  readonly #defect: Defect;
  readonly #broken = new Map<Body, Graph>();

  constructor(project: Project, entities: Entities, defect: Defect) {
    super(project, entities);
    this.#defect = defect;
  }

  override graphOf(body: Body): Graph {
    const known = this.#broken.get(body);
    if (known !== undefined) return known;
    const graph = this.#defect(super.graphOf(body));
    this.#broken.set(body, graph);
    return graph;
  }
}

/** The numbers of the acquire calls that the analyzer calls leaks. */
function analyse(code: string, acquires: readonly number[], defect: Defect | null): Set<number> {
  writeFileSync(file, code);
  const project = new Project([{ path: file, name: 'subject.ts' }]);
  const entities = new Entities(project);
  const program = defect === null ? new Functions(project, entities) : new Broken(project, entities, defect);
  const [unit] = project.files;
  if (unit === undefined) throw new Error('the file was not read');
  const sites = findSites(unit, project, new Resources(RESOURCES), entities);
  expect(sites).toHaveLength(acquires.length);
  for (const { node } of sites) program.acquires.add(node);
  return new Set(
    sites.flatMap((site, index) => (judge(site, program).leak?.severity === 'error' ? [index] : [])),
  );
}

/** One statement may stand in several places of a generated tree; the comparison needs each to be itself. */
function distinct(block: Block): Block {
  return structuredClone(block).map((one) => JSON.parse(JSON.stringify(one)) as typeof one);
}

function agree(defect: Defect | null) {
  return fc.property(functions, (generated) => {
    const body = distinct(generated);
    const expected = leaksOf(body);
    fc.pre(expected !== null);
    const { code, acquires } = print(body);
    expect({ leaks: [...analyse(code, acquires, defect)].sort(), code }).toEqual({
      leaks: [...(expected ?? [])].sort(),
      code,
    });
  });
}

const each =
  (change: (node: FlowNode, id: number, graph: Graph) => FlowNode): Defect =>
  (graph) => ({
    ...graph,
    nodes: graph.nodes.map((node, id) => (id < START ? node : change(node, id, graph))),
  });

/** Goes nowhere. */
const NOWHERE = Number.MAX_SAFE_INTEGER;

const DEFECTS: readonly (readonly [string, Defect])[] = [
  ['no call can throw', each((node) => (node.op.kind === 'call' ? { ...node, thrown: NOWHERE } : node))],
  [
    'conditions are not followed',
    each((node) =>
      node.op.kind === 'branch' ? { ...node, op: { kind: 'branch', test: { kind: 'opaque' } } } : node,
    ),
  ],
  [
    'the two ways of a branch are exchanged',
    each((node) => (node.op.kind === 'branch' ? { ...node, next: [...node.next].reverse() } : node)),
  ],
  [
    'what a constant says is forgotten',
    each((node) =>
      node.op.kind === 'copy' && node.op.from.startsWith('=') ? { ...node, op: { kind: 'nop' } } : node,
    ),
  ],
  [
    'a throw statement ends the path',
    each((node) => (node.op.kind === 'throw' ? { ...node, thrown: NOWHERE } : node)),
  ],
  [
    'loops are left after one round',
    each((node, id) => ({
      ...node,
      next: node.next.map((to) =>
        to !== undefined && to < id && to > RETURNED + 1 && node.op.kind !== 'return' ? NOWHERE : to,
      ),
    })),
  ],
  [
    'a return passes the finally blocks',
    each((node) => (node.op.kind === 'return' ? { ...node, next: [RETURNED] } : node)),
  ],
];

describe('the analyzer and an interpreter that goes every path', () => {
  it('agree on what leaks', () => {
    fc.assert(agree(null), { numRuns: 600 });
  }, 120_000);

  it.each(DEFECTS)('disagree if %s', (_, defect) => {
    // A seed, since a rare shape is needed to see some of them.
    const { failed, counterexample } = fc.check(agree(defect), { numRuns: 5000, seed: 20 });
    expect({ failed, hasExample: counterexample !== null }).toEqual({ failed: true, hasExample: true });
  });
});
