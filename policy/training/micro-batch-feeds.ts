import { Tensor as Value } from 'onnxruntime-node';
import { floats, floatScalar, type Feeds } from '../graph/session.ts';
import { ropeTable } from '../models/decoder.ts';
import type { ModelTraits } from '../models/model-traits.ts';
import { partEnds } from './attention-parts.ts';
import type { MicroBatch } from './micro-batches.ts';

/** Added to a score that must not count; exp of it is 0. */
const MASKED = -1e9;

/** Rotation tables for the longest micro-batch so far, kept for later ones. */
export interface RotationTables {
  readonly traits: ModelTraits;
  rope: { readonly length: number; readonly cos: Value; readonly sin: Value };
}

export function createRotationTables(traits: ModelTraits): RotationTables {
  return { traits, rope: ropeFeeds(traits, 1) };
}

function ropeFeeds(traits: ModelTraits, length: number): RotationTables['rope'] {
  const { cos, sin } = ropeTable(traits, length);
  const dims = [length, traits.headDim / 2];
  return { length, cos: floats(cos, dims), sin: floats(sin, dims) };
}

/** Each position sees itself and what is before it: one mask for all rows, [1, T, T]. */
function causalMask(length: number): Value {
  const mask = new Float32Array(length * length);
  for (let t = 0; t < length; t++) mask.fill(MASKED, t * length + t + 1, (t + 1) * length);
  return floats(mask, [1, length, length]);
}

/** As the causal mask, and a completion does not see the others of its row: [rows, T, T]. */
function segmentMask({ rows, length, segments }: MicroBatch): Value {
  const mask = new Float32Array(rows * length * length).fill(MASKED);
  for (let row = 0; row < rows; row++) {
    const own = segments.subarray(row * length, (row + 1) * length);
    for (let t = 0; t < length; t++) {
      const start = (row * length + t) * length;
      for (let s = 0; s <= t; s++) {
        if (own[s] === 0 || own[s] === own[t]) mask[start + s] = 0;
      }
    }
  }
  return floats(mask, [rows, length, length]);
}

/** The feeds of {@link buildPolicyGraph} for a micro-batch, weights aside, with attention in so many parts. */
export function microBatchFeeds(
  cache: RotationTables,
  batch: MicroBatch,
  temperature: number,
  parts = 1,
): Feeds {
  const { length, rows } = batch;
  if (cache.rope.length < length) cache.rope = ropeFeeds(cache.traits, length);
  return {
    ids: new Value('int32', batch.ids, [rows, length]),
    positions: new Value('int64', batch.positions, [rows, length]),
    rows: new Value('int64', batch.predicting, [batch.predicting.length]),
    targets: new Value('int32', batch.targets, [batch.targets.length]),
    inverse_temperature: floatScalar(1 / temperature),
    mask: batch.shared ? segmentMask(batch) : causalMask(length),
    cos: cache.rope.cos,
    sin: cache.rope.sin,
    ...(parts === 1 ? {} : { part_ends: new Value('int64', partEnds(length, parts), [parts - 1]) }),
  };
}
