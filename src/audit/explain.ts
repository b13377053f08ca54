import { PYTHON_RESOURCES } from './languages/python/resources.js';
import { RESOURCES } from './resources/index.js';
import { RULES } from './rules.js';

const ALL = [...RESOURCES, ...PYTHON_RESOURCES];

/** The topics of `--explain`: resources, then rules. */
export function topics(): readonly string[] {
  return [...ALL.map(({ id }) => id), ...Object.keys(RULES)];
}

/** The page of a resource or rule in Markdown, as it stands in docs/rules. */
export function markdownPage(topic: string): string {
  const { docs, found, language } = docsOf(topic);
  const { title, why, leaks, fixed, exceptions } = docs;
  const code = (text: string) => `\`\`\`${language}\n${text}\n\`\`\``;
  return `# ${topic}

${title}

${why}

## ${found === 'Leaks' ? 'Code that leaks' : 'Code that is reported'}

${code(leaks)}

## Repaired

${code(fixed)}

## Exceptions

${exceptions}
`;
}

/** Why a resource leaks or what a rule finds, an example, its repair, and what is no leak. */
export function explain(topic: string): string {
  const { docs, found } = docsOf(topic);
  return page(topic, docs, found);
}

function docsOf(topic: string): { readonly docs: Docs; readonly found: string; readonly language: string } {
  const resource = ALL.find(({ id }) => id === topic);
  if (resource !== undefined) {
    const language = resource.language ?? 'ts';
    return { docs: { title: resource.title, ...resource.docs }, found: 'Leaks', language };
  }
  const [, rule] = Object.entries(RULES).find(([id]) => id === topic) ?? [];
  if (rule === undefined) throw new RangeError(`neither a resource nor a rule is called ${topic}`);
  return { docs: rule, found: 'Found', language: 'ts' };
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
