/** Keys or values of one layer. */
export type Block = Float32Array;

/**
 * Memory of one block that is no longer needed. Blocks are laid out anew one after the other, each into the memory of the one
 * before: pages that were never touched cost more than the copying, and two whole caches need twice the memory.
 */
export interface BlockPool {
  spare: ArrayBufferLike | null;
}

export function createBlockPool(): BlockPool {
  return { spare: null };
}

/** A block of zeros. */
export function takeBlock(pool: BlockPool, size: number): Block {
  const { spare } = pool;
  if (spare === null || spare.byteLength < 4 * size) return new Float32Array(size);
  pool.spare = null;
  return new Float32Array(spare, 0, size).fill(0);
}

/** Nothing may read `block` any more. */
export function giveBlock(pool: BlockPool, { buffer }: Block): void {
  if (pool.spare === null || pool.spare.byteLength < buffer.byteLength) pool.spare = buffer;
}
