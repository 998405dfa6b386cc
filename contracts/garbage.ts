/** Files and their sizes. */
export interface FileCount {
  readonly files: number;
  readonly bytes: number;
}

export interface GarbageOptions {
  /** Only tell what would be removed. */
  readonly dryRun?: boolean | undefined;
  /** What was stored in the last so many hours stays: a worker may be about to refer to it. At least 1; default 24. */
  readonly olderThanHours?: number | undefined;
}

/** `toolsample gc --json`. Stable: fields are added, never changed. */
export interface GarbageReport {
  /** Nothing was removed; `removed` is what would be. */
  readonly dryRun: boolean;
  readonly olderThanHours: number;
  readonly removed: {
    /** Artifacts to which no run refers. */
    readonly unused: FileCount;
    /** Temporary files whose writers were killed. */
    readonly unfinished: FileCount;
    /** Damaged artifacts that were set aside, and are not needed or there again. */
    readonly damaged: FileCount;
  };
  readonly kept: {
    /** Artifacts to which a run refers. */
    readonly used: FileCount;
    /** Others that are too young to tell. */
    readonly young: FileCount;
  };
}
