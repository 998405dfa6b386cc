/** A reference to immutable bytes in the artifact store. Small: this, not the bytes, travels in workflow payloads. */
export interface ArtifactRef {
  /** Lower-case hexadecimal SHA-256 of the content, which is also its address. */
  readonly sha256: string;
  /** Size in bytes. */
  readonly bytes: number;
}

/** Content-addressed, durable store of tensors and texts. Writes are fsynced; reads are verified by hash. */
export interface ArtifactStore {
  /** Stores bytes; returns once they would survive a power cut. Storing the same bytes twice is free. */
  put(bytes: Uint8Array): Promise<ArtifactRef>;
  /**
   * Moves a finished temporary file (made under {@link temporaryPath}) into the store.
   * @param written what the file is, where who wrote it has hashed and flushed it: else both are done here.
   */
  putFile(path: string, written?: ArtifactRef): Promise<ArtifactRef>;
  /** Reads and verifies. @throws ToolsampleError `corrupt-artifact` when the hash differs, `not-found` when absent. */
  get(ref: ArtifactRef): Promise<Uint8Array>;
  /** Where the bytes lie, verified once a process; for readers that map the file. Throws like {@link get}. */
  path(ref: ArtifactRef): Promise<string>;
  has(ref: ArtifactRef): Promise<boolean>;
  /** A fresh path on the same file system, for {@link putFile}. */
  temporaryPath(): Promise<string>;
  /** Deletes content; absent content is not an error. */
  delete(sha256: string): Promise<void>;
}
