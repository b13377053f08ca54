import { RESOURCES } from './resources/index.js';

/** What `--explain` knows of. */
export function topics(): readonly string[] {
  return RESOURCES.map(({ id }) => id);
}

/** Why a resource leaks, an example, its repair, and what is no leak. */
export function explain(topic: string): string {
  const spec = RESOURCES.find(({ id }) => id === topic);
  if (spec === undefined) throw new RangeError(`no resource is called ${topic}`);
  const { why, leaks, fixed, exceptions } = spec.docs;
  return `${spec.id}: ${spec.title}

${why}

Leaks:
${indented(leaks)}

Repaired:
${indented(fixed)}

${exceptions}
`;
}

function indented(code: string): string {
  return code.replace(/^(?=.)/gm, '  ');
}
