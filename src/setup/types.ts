/** Facts of a project about connection pools. No value of an environment file is in it, only names. */
export interface Inspection {
  readonly packageManager: PackageManager;
  /** The lock file or field that says so; null where nothing does. */
  readonly packageManagerFrom: string | null;
  /** Whether the project has poolctl among its dependencies. */
  readonly hasPoolctl: boolean;
  /** Folders of packages in a monorepo. */
  readonly workspaces: readonly string[];
  readonly libraries: readonly Library[];
  /** Sizes that the source gives pools as numbers. */
  readonly poolSizes: readonly PoolSize[];
  readonly pgbouncer: readonly PgbouncerFile[];
  readonly services: readonly Service[];
  readonly variables: readonly Variables[];
  readonly ci: readonly CiFile[];
  /** Config files of poolctl that are there already. */
  readonly configs: readonly string[];
  /** How far the root of the repository lies above the folder: `..`; '' where it is the folder, null without one. */
  readonly repository: string | null;
  /** The branch that others are merged into. */
  readonly branch: string;
  readonly files: number;
}

export type PackageManager = 'npm' | 'pnpm' | 'yarn' | 'yarn-classic' | 'bun';

export interface Library {
  readonly name: string;
  /** The manifests that have it, or source files where none does. */
  readonly files: readonly string[];
}

export interface PoolSize {
  readonly size: number;
  readonly file: string;
  readonly line: number;
}

export interface PgbouncerFile {
  readonly file: string;
  readonly poolMode: string | null;
  readonly defaultPoolSize: string | null;
  readonly maxClientConn: string | null;
}

export interface Service {
  readonly file: string;
  readonly service: string;
  readonly kind: ServiceKind;
}

export type ServiceKind = 'postgres' | 'pgbouncer' | 'mysql' | 'redis' | 'mongodb';

export interface Variables {
  readonly file: string;
  /** Names only. */
  readonly names: readonly string[];
}

export type CiSystem = 'github' | 'gitlab' | 'other';

export interface CiFile {
  readonly system: CiSystem;
  readonly file: string;
}

/** A file that is proposed, as it is and as it would be. */
export interface Proposal {
  /** From the folder, with forward slashes. */
  readonly file: string;
  readonly purpose: 'config' | 'baseline' | 'ci';
  /** null where it is not there yet. */
  readonly before: string | null;
  readonly after: string;
}

/** The document of `poolctl init --format json`. */
export interface SetupDocument {
  readonly schema: 1;
  readonly kind: 'init';
  readonly folder: string;
  readonly found: Inspection;
  readonly files: readonly ProposedFile[];
  /** Commands to go on with. */
  readonly next: readonly string[];
  /** The files that were not proposed, with the reason. */
  readonly notes: readonly string[];
}

export interface ProposedFile {
  readonly file: string;
  readonly purpose: 'config' | 'baseline' | 'ci';
  readonly change: 'create' | 'update' | 'none';
  /** Unified; '' where nothing changes. */
  readonly diff: string;
  readonly written: boolean;
}
