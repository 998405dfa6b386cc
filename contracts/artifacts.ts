/** A reference to immutable bytes in the artifact store. Small: this, not the bytes, travels in workflow payloads. */
export interface ArtifactRef {
  /** Lower-case hexadecimal SHA-256 of the content, which is also its address. */
  readonly sha256: string;
  /** Size in bytes. */
  readonly bytes: number;
}

/** Reads artifacts; all that comes out of it is verified by hash. */
export interface ArtifactReader {
  /** Reads and verifies. @throws ToolsampleError `corrupt-artifact` when the hash differs, `not-found` when absent. */
  get(ref: ArtifactRef): Promise<Uint8Array>;
  /** Where the bytes lie on this machine, verified once a process; for readers that map the file. Throws like {@link get}. */
  path(ref: ArtifactRef): Promise<string>;
}

/** Content-addressed, durable store of tensors and texts, in a folder or an object store. Reads are verified by hash. */
export interface ArtifactStore extends Pick<ArtifactReader, 'get'> {
  /** Stores bytes; returns once they would survive a power cut. Storing the same bytes twice is free. */
  put(bytes: Uint8Array): Promise<ArtifactRef>;
  /**
   * Moves a finished temporary file (made under {@link temporaryPath}) into the store.
   * @param written what the file is, where who wrote it has hashed and flushed it: else both are done here.
   */
  putFile(path: string, written?: ArtifactRef): Promise<ArtifactRef>;
  /** Lets `work` read files: what its reader tells the path of stays there until `work` has ended, and no longer. */
  reading<T>(work: (files: ArtifactReader) => Promise<T>): Promise<T>;
  has(ref: ArtifactRef): Promise<boolean>;
  /**
   * A fresh path on the same file system, for {@link putFile}, or for a folder that is needed for a while: what a killed process leaves
   * there is removed in time.
   */
  temporaryPath(): Promise<string>;
  /** Deletes content; absent content is not an error. */
  delete(sha256: string): Promise<void>;
}

/** An artifact as it lies in its store, for whoever removes what nobody needs. */
export interface StoredArtifact {
  readonly sha256: string;
  /** `aside`: put aside by a sweep that was killed. */
  readonly state: 'whole' | 'damaged' | 'aside';
  /** Path or key. */
  readonly place: string;
  readonly bytes: number;
  /** When it was last written or stored again; milliseconds since 1970. */
  readonly storedAt: number;
}

/** What a writer that was killed has left: a temporary file, a part of an upload. */
export interface Leftover {
  readonly bytes: number;
  remove(): Promise<void>;
}

/** A store that can be searched for what nobody needs. */
export interface SweepableStore extends ArtifactStore {
  /** The folder or the address, without secrets; for messages. */
  readonly place: string;
  /** Everything that it holds; what is none of its own is left out. */
  stored(): AsyncGenerator<StoredArtifact>;
  /** What was last written before an instant (milliseconds since 1970) and never finished. */
  unfinished(before: number): Promise<readonly Leftover[]>;
  /**
   * Removes what nothing refers to, unless it was stored again since `before` (milliseconds since 1970): then somebody is about
   * to refer to it. Safe beside writers, and to be killed.
   * @returns whether it was removed
   */
  removeUnused(artifact: StoredArtifact, before: number): Promise<boolean>;
  /** Gives an artifact that lies aside its place back. */
  putBack(artifact: StoredArtifact): Promise<void>;
}
