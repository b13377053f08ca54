import type { LocatedFile } from './code/files.js';

/** How a call acquires a lease. */
export type AcquirePattern = MethodPattern | FunctionPattern | ConstructorPattern;

interface Acquires {
  readonly name: string;
  /** For names that are everywhere: only files that have this in them are looked at. */
  readonly inFilesWith?: string;
  /**
   * The place of the lease in the result: '' for the result itself, `.client` for a property, `.0` for an element.
   */
  readonly at?: string;
  /** Positions in the callback, for APIs that hand the lease to one: `(err, client, done)`. */
  readonly callback?: { readonly lease: number; readonly release?: number };
  /** With a function among the arguments, the library ends the lease by itself. */
  readonly managedByFunction?: boolean;
  /** Wherever it comes from, but only where the result goes to a variable of such a name, or is used by `usedBy`. */
  readonly usedAs?: RegExp;
  /** If the type is not known: only if one of these methods is called on the result. */
  readonly usedBy?: RegExp;
  /** Only where the function itself ends it by one of these methods: else it is there for the whole process. */
  readonly endedBy?: RegExp;
  /** Holds nothing before one of these methods was called on it. */
  readonly armedBy?: readonly string[];
  /**
   * Serves a whole process, and is made once. Counts where a function makes one for itself: ends it, but not on every
   * path, or uses it and leaves it behind. What makes one at the start of a program may keep it.
   */
  readonly isWhole?: boolean;
  /** Takes nothing where one of its arguments is such: a session that is bound to a connection. */
  readonly borrows?: RegExp;
  /** Holds nothing before any method was called on it. */
  readonly lazy?: boolean;
  /** A call that takes hold of something keeps it when it fails: a session whose first query raises. */
  readonly holdsOnFailure?: boolean;
  /** Methods after which it holds nothing until it is used again: `commit` of a session. */
  readonly disarmedBy?: readonly string[];
}

export interface MethodPattern extends Acquires {
  readonly kind: 'method';
  /**
   * The receiver: `pg#Pool`, an export of a package, or `mysql2#createPool()`, the result of one of its functions.
   */
  readonly on: readonly string[];
  /** If the type is not known: names of the receiver. */
  readonly named?: RegExp;
  /** Only on the class itself: `MongoClient.connect(url)`, and not `client.connect()`. */
  readonly isStatic?: boolean;
  /** No other library has a method of this name: a class of the project that has one lends the same. */
  readonly isUnique?: boolean;
}

export interface FunctionPattern extends Acquires {
  readonly kind: 'function';
  /** The packages that export it; `*` for any. */
  readonly from: readonly string[];
}

export interface ConstructorPattern extends Acquires {
  readonly kind: 'new';
  readonly from: readonly string[];
}

/** A call that makes a pool: `new Pool()` of pg, `createPool()` of mysql2. */
export interface PoolPattern {
  readonly kind: 'new' | 'function';
  readonly name: string;
  readonly from: readonly string[];
}

/** One kind of lease, as the analyzer knows it. Data only. */
export interface ResourceSpec {
  readonly id: string;
  /** The language whose packages lend it; left out for JavaScript and TypeScript. */
  readonly language?: 'typescript' | 'python';
  readonly title: string;
  readonly acquire: readonly AcquirePattern[];
  /** The calls that make the pool that lends it. A program makes one pool, not one per call. */
  readonly pools?: readonly PoolPattern[];
  /** Is for one piece of work at a time: one that a whole module shares is a habit to lose. */
  readonly isPersonal?: boolean;
  /** How a `with` statement of Python ends it: by itself, by `closing()`, or by `async with`; left out where none does. */
  readonly block?: 'own' | 'closing' | 'async';
  /** How `--fix` ends it; left out where it does not repair. */
  readonly repair?: Repairing;
  readonly release: {
    /** Methods of the lease. */
    readonly methods: readonly string[];
    /** Methods and functions that take the lease: `pool.release(client)`. */
    readonly takes: readonly string[];
    /** Methods of what lent it that end all its leases: `pool.end()`. */
    readonly ofParent: readonly string[];
    /** A block that declares it, such as `with`, does not release it. */
    readonly isKeptByBlock?: boolean;
    /** The methods of which a second call does harm, and what it does; left out where it does none. */
    readonly twice?: { readonly methods: readonly string[]; readonly does: string };
    /** The effect of using the lease after its release; absent if it may be used again. */
    readonly usedAfter?: string;
  };
  /** Methods of the lease that only open or close things: their failure is no ordinary one. */
  readonly protocol: readonly string[];
  /** Its answers about itself, which follow from the methods that were called on it. */
  readonly answers?: readonly LeaseAnswer[];
  /** Methods that give the lease itself: `source.initialize()`. */
  readonly returnsItself?: readonly string[];
  /** Calls after which the lease is somebody else's: methods of it, and what takes it as an argument. */
  readonly handoff?: readonly string[];
  /** Text of such a call that leaves the lease with its owner: `{ autoClose: false }`. */
  readonly handoffUnless?: RegExp;
  /** Ends with what lent it: where both leak in one function, the leak of the lender is the one to mend. */
  readonly isPart?: boolean;
  /** A part that belongs to the caller if a parameter lent it: a page of a browser. */
  readonly isLeftToCaller?: boolean;
  /** Work on it is done without promises. */
  readonly isSync?: boolean;
  /** Ends with its last reference, and takes nothing of which there are few: its leak is a note. */
  readonly isReclaimed?: boolean;
  readonly docs: {
    readonly why: string;
    readonly leaks: string;
    readonly fixed: string;
    readonly exceptions: string;
  };
}

/** `runner.isTransactionActive`, `session.inTransaction()`: false at first. */
export interface LeaseAnswer {
  /** The property, or the method with `()`. */
  readonly asked: string;
  /** The methods that make it true. BEGIN in a query does so too. */
  readonly trueAfter: readonly string[];
  /** The methods that make it false. So do COMMIT and ROLLBACK in a query. */
  readonly falseAfter: readonly string[];
  /** Its answer after a failed commit. */
  readonly afterFailedCommit: boolean;
}

/** How a lease is ended by a repair. */
export interface Repairing {
  /** The calls that acquire what is repaired. */
  readonly acquire: readonly string[];
  /** The method of the lease that releases. */
  readonly release: string;
  /** Whether the release is a promise. */
  readonly awaits: boolean;
  /** Work on it is done without promises. */
  readonly isSync?: boolean;
  /** Whether a transaction that is still open ends with the release, and is not handed on with the connection. */
  readonly endsTransaction?: boolean;
  /** A transaction: the method that commits it; `release` is then the one that rolls it back. */
  readonly commit?: string;
  /** The condition under which a transaction has not ended; `$` stands for it. Some types do not declare that. */
  readonly isOpen?: { readonly test: string; readonly isTyped: boolean };
  /** The statement that rolls back what was begun on it; `$` stands for the lease. */
  readonly rollback?: string;
  /** The version of a module from which its leases can be declared with `await using`; null for any. */
  readonly using?: { readonly module: string | null; readonly since: string | null };
}

/** Rule ids of findings. */
export type Rule = 'leak' | Misuse | Habit;
export type Severity = 'error' | 'note';
export type Confidence = 'high' | 'medium' | 'low';
export type Misuse = 'released-twice' | 'used-after-release' | 'dead-release' | 'released-not-owned';
/** No leak, but how pools run dry all the same: always a note. */
export type Habit = 'pool-per-call' | 'held-through-work' | 'module-session';
export type LeakKind = 'never-released' | 'not-released-on-return' | 'not-released-on-throw' | 'overwritten';

/** Code that runs for each request or round, or once at the start, or in tests only. */
export type Surroundings = 'request' | 'loop' | 'startup' | 'test';

export interface TrailStep {
  readonly role: 'acquire' | 'bypass' | 'exit' | 'release' | 'misuse';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** The line of code. */
  readonly source: string;
}

export interface Finding {
  readonly rule: Rule;
  readonly resource: string;
  /** How a lease leaks; of a misuse or habit its rule. */
  readonly kind: LeakKind | Misuse | Habit;
  readonly severity: Severity;
  readonly confidence: Confidence;
  /** Relative to the audited path, with forward slashes. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly message: string;
  readonly trail: readonly TrailStep[];
  readonly fingerprint: string;
  /** The surroundings of the acquire call, if they show how often it runs. */
  readonly where?: Surroundings;
}

export interface AuditWarning {
  readonly file: string;
  readonly line: number | null;
  readonly reason: string;
}

export interface AuditResult {
  readonly schema: 1;
  readonly findings: readonly Finding[];
  /** Files that could not be audited, and comments that suppress nothing. */
  readonly warnings: readonly AuditWarning[];
  readonly summary: {
    readonly files: number;
    /** How many of them had to be parsed. */
    readonly parsed: number;
    readonly acquireCalls: number;
    readonly suppressed: number;
    /** Acquire calls that were not decided: their functions have too many paths. Each has a warning. */
    readonly undecided: number;
    readonly baselined: number;
    /** Files that were not audited, or not in full; the warnings say why. */
    readonly skipped?: number;
    /** Notes that the report leaves out. */
    readonly hiddenNotes?: number;
    /** Leaks in test files that the report leaves out. */
    readonly hiddenTests?: number;
    /** Findings below the lowest confidence that was asked for, or switched off by a rule. */
    readonly leftOut?: number;
  };
  /** The folder that `file` is relative to, as the repository names it; '' is its root. */
  readonly base?: string;
}

export interface AuditOptions {
  /** The folder to which relative paths are relative. */
  readonly cwd: string;
  /** Globs of what is left out; one without a slash is a name in any folder. */
  readonly exclude?: readonly string[];
  /** Whether .gitignore files count. Default true. */
  readonly honourIgnoreFiles?: boolean;
  /** Kinds of leases besides those that are known. */
  readonly resources?: readonly ResourceSpec[];
  /** Report test files like any other. Without, leaks in them are marked `test`, and misuses are notes. */
  readonly includeTests?: boolean;
  /** Told of every file that is read, and of every acquire call that is followed. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface DetailedAudit {
  readonly result: AuditResult;
  /** The files by the names that findings give them. */
  readonly files: ReadonlyMap<string, LocatedFile>;
  /** The files that a finding depends on, as real paths; see Reads for what else is among them. */
  readsOf(finding: Finding): ReadonlySet<string>;
}
