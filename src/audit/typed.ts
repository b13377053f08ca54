import { ts } from 'ts-morph';
import type { Entities, Entity } from './code/entities.js';
import type { Project, SourceUnit } from './code/project.js';
import { nameOf, resultsOf } from './code/syntax.js';
import type { Site } from './flow/types.js';
import { poolctl } from './resources/poolctl.js';

/**
 * Calls of factories that nothing but their declared type says lend a lease: `getDb(): Session`, where a Session has a
 * close(). A factory whose body is known is followed instead: it may give what all share.
 */
export function typedSites(unit: SourceUnit, project: Project, entities: Entities): Site[] {
  return project.callsNamed(unit, FACTORIES).flatMap((node) => {
    if (!ts.isCallExpression(node) || ts.isExpressionStatement(node.parent)) return [];
    const type = lentBy(node, entities);
    return type === null ? [] : [siteOf(node, type)];
  });
}

const FACTORIES =
  /(?<![\w$#])(?:get(?:Db|DB|Database|Session|Connection|Conn|Lease|Transaction|Tx)|(?:open|acquire|connect|borrow|checkout|lend|obtain)[A-Z]\w*|(?:create|start|new|begin)(?:Session|Connection|Transaction|Tx|Lease|UnitOfWork)\w*)(?=\s*(?:<[^\n;]*>)?\s*(?:\?\.)?\()/g;

/** The lease of a call, by its type: null if the type is not known, or needs no end. */
function lentBy(node: ts.CallExpression, entities: Entities): Entity | null {
  const callee = entities.of(node.expression);
  const bodies = entities.bodiesOf(node);
  const declared = callee?.kind === 'signature' ? callee.node : (bodies[0] ?? null);
  if (declared?.type === undefined || bodies.some((body) => !passesOn(body, entities))) return null;
  const type = entities.resultOf(declared);
  return type !== null && isClosable(type, entities, 0) ? type : null;
}

/** Whether a function only gives what another one gives that is not known: a variable or a field may be shared. */
function passesOn(body: ts.SignatureDeclaration, entities: Entities): boolean {
  const results = resultsOf(body);
  return results.length > 0 && results.every((result) => isUnknownCall(result, entities));
}

function isUnknownCall(result: ts.Expression, entities: Entities): boolean {
  let at = result;
  while (ts.isAwaitExpression(at) || ts.isParenthesizedExpression(at) || ts.isAsExpression(at))
    at = at.expression;
  if (!ts.isCallExpression(at) || entities.bodiesOf(at).length > 0) return false;
  const callee = entities.of(at.expression);
  return callee === null || callee.kind === 'package' || callee.kind === 'thing';
}

/** Whether a type of the project, or one that it extends, has a member that ends it. */
function isClosable(type: Entity | null, entities: Entities, depth: number): boolean {
  if (type === null || depth > 8) return false;
  if (type.kind !== 'shape' && type.kind !== 'instance' && type.kind !== 'class') return false;
  const members: readonly (ts.TypeElement | ts.ClassElement)[] = [...type.node.members];
  if (members.some((member) => CLOSERS.has(memberName(member) ?? ''))) return true;
  const bases = ts.isTypeLiteralNode(type.node) ? [] : (type.node.heritageClauses ?? []);
  return bases.some(({ types }) =>
    types.some(({ expression }) => isClosable(entities.of(expression), entities, depth + 1)),
  );
}

function memberName(member: ts.TypeElement | ts.ClassElement): string | null {
  const { name } = member;
  return name !== undefined && ts.isComputedPropertyName(name)
    ? `[${name.expression.getText()}]`
    : nameOf(member);
}

const CLOSERS = new Set(['close', 'release', 'end', '[Symbol.dispose]', '[Symbol.asyncDispose]']);

function siteOf(node: ts.CallExpression, type: Entity): Site {
  const name = 'node' in type ? nameOf(type.node) : null;
  return {
    node,
    spec: {
      ...poolctl,
      title: name === null ? poolctl.title : `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`,
      release: {
        ...poolctl.release,
        methods: [...new Set([...poolctl.release.methods, 'end', 'destroy', 'dispose', 'disconnect'])],
      },
      isPersonal: false,
    },
    pattern: { kind: 'function', name: node.expression.getText(), from: [] },
    at: [''],
    confidence: 'medium',
    when: new Map(),
    via: null,
  };
}
