import { RESOURCES } from './resources/index.js';
import { RULES } from './rules.js';

/** What `--explain` knows of: resources, then rules. */
export function topics(): readonly string[] {
  return [...RESOURCES.map(({ id }) => id), ...Object.keys(RULES)];
}

/** Why a resource leaks or what a rule finds, an example, its repair, and what is no leak. */
export function explain(topic: string): string {
  const resource = RESOURCES.find(({ id }) => id === topic);
  if (resource !== undefined) return page(resource.id, { title: resource.title, ...resource.docs }, 'Leaks');
  const [, rule] = Object.entries(RULES).find(([id]) => id === topic) ?? [];
  if (rule === undefined) throw new RangeError(`neither a resource nor a rule is called ${topic}`);
  return page(topic, rule, 'Found');
}

interface Docs {
  readonly title: string;
  readonly why: string;
  readonly leaks: string;
  readonly fixed: string;
  readonly exceptions: string;
}

function page(id: string, { title, why, leaks, fixed, exceptions }: Docs, found: string): string {
  return `${id}: ${title}

${why}

${found}:
${indented(leaks)}

Repaired:
${indented(fixed)}

${exceptions}
`;
}

function indented(code: string): string {
  return code.replace(/^(?=.)/gm, '  ');
}
