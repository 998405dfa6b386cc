import { Tensor as Value } from 'onnxruntime-node';
import { floats, floatScalar, type Feeds } from '../graph/session.ts';
import { ropeTable } from '../models/llama.ts';
import type { LlamaTraits } from '../models/llama-traits.ts';
import type { MicroBatch } from './micro-batches.ts';

/** Added to a score that must not count; exp of it is 0. */
const MASKED = -1e9;

/** The feeds of a micro-batch that depend on its length alone, kept by length. */
export interface LengthFeeds {
  readonly traits: LlamaTraits;
  readonly masks: Map<number, Value>;
  rope: { readonly length: number; readonly cos: Value; readonly sin: Value };
}

export function createLengthFeeds(traits: LlamaTraits): LengthFeeds {
  return { traits, masks: new Map(), rope: ropeFeeds(traits, 1) };
}

function ropeFeeds(traits: LlamaTraits, length: number): LengthFeeds['rope'] {
  const { cos, sin } = ropeTable(traits, length);
  const dims = [length, traits.headDim / 2];
  return { length, cos: floats(cos, dims), sin: floats(sin, dims) };
}

/** Each position sees itself and what is before it. */
function causalMask(length: number): Value {
  const mask = new Float32Array(length * length);
  for (let t = 0; t < length; t++) mask.fill(MASKED, t * length + t + 1, (t + 1) * length);
  return floats(mask, [length, length]);
}

/** The feeds of {@link buildPolicyGraph} for a micro-batch, weights aside. */
export function microBatchFeeds(cache: LengthFeeds, batch: MicroBatch, temperature: number): Feeds {
  const { length, rows } = batch;
  if (cache.rope.length < length) cache.rope = ropeFeeds(cache.traits, length);
  let mask = cache.masks.get(length);
  if (mask === undefined) {
    mask = causalMask(length);
    cache.masks.set(length, mask);
  }
  return {
    ids: new Value('int32', batch.ids, [rows, length]),
    rows: new Value('int64', batch.predicting, [batch.predicting.length]),
    targets: new Value('int32', batch.targets, [batch.targets.length]),
    inverse_temperature: floatScalar(1 / temperature),
    mask,
    cos: cache.rope.cos,
    sin: cache.rope.sin,
  };
}
