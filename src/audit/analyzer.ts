import { Entities } from './code/entities.js';
import type { FoundFile, FoundFiles } from './code/files.js';
import { Project, type ProjectChange, type SourceUnit } from './code/project.js';
import { byPlace } from './findings.js';
import { type Followed, type Following, follow, type ResourcesByLanguage, UNDECIDED } from './follow.js';
import { PoolMakers } from './habits.js';
import { PYTHON_RESOURCES } from './languages/python/resources.js';
import { type Raised, raisedIn } from './raised.js';
import { RESOURCES } from './resources/index.js';
import { packagesOf, Resources } from './sites.js';
import { suppress } from './suppress.js';
import type { AuditOptions, AuditResult, DetailedAudit } from './types.js';

/** The outcome of one run. */
export interface Analysis {
  readonly project: Project;
  readonly following: Following;
  readonly raised: ReadonlyMap<SourceUnit, readonly Raised[]>;
}

/** Audits the versions of a project with the same resources and options. */
export class Analyzer {
  readonly #options: AuditOptions;
  readonly #foreign: ReadonlySet<string>;
  readonly #resources: ResourcesByLanguage;
  readonly #makers: PoolMakers;

  constructor(options: AuditOptions) {
    const own = options.resources ?? [];
    const specs = [...own, ...RESOURCES];
    this.#options = options;
    this.#foreign = packagesOf([...specs, ...PYTHON_RESOURCES]);
    this.#resources = {
      typescript: new Resources(specs),
      python: new Resources([...own, ...PYTHON_RESOURCES]),
    };
    this.#makers = new PoolMakers(specs);
  }

  projectOf(files: readonly FoundFile[], change: ProjectChange | null = null): Project {
    return new Project(files, this.#foreign, change);
  }

  /** Audits a project. With an earlier run, only the files in `active` are judged anew. */
  run(
    project: Project,
    earlier: { readonly analysis: Analysis; readonly active: ReadonlySet<SourceUnit> } | null = null,
  ): Analysis {
    const entities = new Entities(project);
    const before =
      earlier === null ? null : { following: earlier.analysis.following, active: earlier.active };
    const following = follow(project, this.#resources, entities, this.#options.onProgress, before);
    const { judged, warnings } = following;
    const byUnit = new Map<SourceUnit, Followed[]>(project.files.map((unit) => [unit, []]));
    for (const one of judged.values()) byUnit.get(project.unitOf(one.site.node))?.push(one);
    const includeTests = this.#options.includeTests === true;
    const context = { project, entities, judged, makers: this.#makers, includeTests, warnings };
    const raised = new Map<SourceUnit, readonly Raised[]>();
    for (const [unit, own] of byUnit) {
      const known = earlier?.active.has(unit) === false ? earlier.analysis.raised.get(unit) : undefined;
      raised.set(unit, known ?? raisedIn(unit, own, context));
    }
    return { project, following, raised };
  }
}

/** The result of a run, as it is reported. */
export function detailed({ project, following, raised }: Analysis, found: FoundFiles): DetailedAudit {
  const all = [...raised.values()].flat().sort((a, b) => byPlace(a.finding, b.finding));
  const reads = new Map(all.map(({ finding, files }) => [finding, files]));
  const { findings, suppressed, problems } = suppress([...reads.keys()], project.files);
  const { judged, warnings } = following;
  const unreadable = found.unreadable.map(({ name, reason }) => ({
    file: name,
    line: null,
    reason: `skipped: ${reason}`,
  }));
  const result: AuditResult = {
    schema: 1,
    findings,
    warnings: [...unreadable, ...project.warnings, ...warnings, ...problems],
    summary: {
      files: project.files.length,
      parsed: project.parsedCount,
      acquireCalls: judged.size,
      suppressed,
      undecided: warnings.filter(({ reason }) => reason.startsWith(UNDECIDED)).length,
      baselined: 0,
      skipped: unreadable.length + project.skipped.size,
    },
  };
  const reals = new Map(found.files.map(({ path, real }) => [path, real]));
  return {
    result,
    files: new Map(found.files.map((file) => [file.name, file])),
    readsOf: (finding) => {
      const files = project.reads.closure(reads.get(finding) ?? []);
      return new Set([...files].map((path) => reals.get(path) ?? path));
    },
  };
}
