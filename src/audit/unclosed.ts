import type { ts } from 'ts-morph';
import { namesOfCalls } from './code/callers.js';
import type { Entities } from './code/entities.js';
import type { Project } from './code/project.js';
import { isFunction } from './code/scope.js';
import { classAround, constructorOf } from './code/syntax.js';
import { isTest } from './findings.js';
import { NO_TRAIL } from './flow/state.js';
import type { Program, Site } from './flow/types.js';
import { unitOf } from './flow/unit.js';
import { isPython } from './languages/python/raises.js';
import { judge, type Leak, type Verdict } from './leaks.js';
import { instancesOf, type Owners } from './owners.js';
import { runsOnce, SCRIPTS } from './startup.js';

/**
 * A lease that a constructor in Python keeps in an attribute, where no method of the class gives it back. It leaks where
 * a function makes an instance for itself; an instance that lives as long as the process may keep it.
 */
export function unclosedAttribute(
  site: Site,
  verdict: Verdict,
  owners: Owners,
  project: Project,
  program: Program,
): Leak | null {
  if (!isPython(site.node) || verdict.leak !== null || verdict.hasReleased || site.spec.isReclaimed === true)
    return null;
  const node = classAround(site.node);
  const made = node === null ? null : constructorOf(node);
  if (node === null || made === null || unitOf(site.node) !== made || site.arms !== undefined) return null;
  const [only, ...others] = new Set(verdict.stored.map(({ path }) => path));
  const field = only !== undefined && /^\.\w+$/.test(only) ? only.slice(1) : undefined;
  if (field === undefined || others.length > 0 || isEndedElsewhere(field, site, project)) return null;
  if (owners.hasClosers(node) || hasForeignBase(node, program.entities)) return null;
  const { entities } = program;
  const instances = instancesOf(owners.ownerWithout(node, site), {
    project,
    entities,
    among: project.files.filter(({ language }) => language === 'python'),
    namesOf: (classes) => namesOfCalls(classes, project, entities),
  });
  const lost = instances.find((one) => !isTest(one, project, false) && isLost(one, project, program));
  if (lost === undefined) return null;
  return {
    kind: 'never-released',
    severity: 'error',
    trail: NO_TRAIL,
    isUncertain: false,
    instance: { owner: node.name?.text ?? 'the class', node: lost.node },
  };
}

/** Whether a function makes an instance for itself and drops it. */
function isLost(instance: Site, project: Project, program: Program): boolean {
  const body = unitOf(instance.node);
  if (!isFunction(body) || runsOnce(body) || SCRIPTS.test(project.unitOf(instance.node).name)) return false;
  const { leak } = judge(instance, program);
  return leak !== null && !leak.isUncertain;
}

/** `other.session.close()`, `release(service.session)`: somebody else may end what is in the attribute. */
function isEndedElsewhere(field: string, { spec }: Site, { files }: Project): boolean {
  const methods = spec.release.methods.join('|');
  const ends = new RegExp(`(?<!\\bself)\\.${field}\\.(${methods})\\b|\\bclosing\\([\\w.]+\\.${field}\\)`);
  return files.some(({ language, source }) => language === 'python' && ends.test(source));
}

/** A base class of a package may close what its subclasses keep. */
function hasForeignBase(node: ts.ClassLikeDeclaration, entities: Entities): boolean {
  return (node.heritageClauses ?? []).some(({ types }) =>
    types.some(({ expression }) => {
      const base = entities.of(expression);
      if (base?.kind === 'class') return hasForeignBase(base.node, entities);
      return !/^(ABC|Protocol|Generic|object)$/.test(expression.getText().replace(/^.*\./, ''));
    }),
  );
}
