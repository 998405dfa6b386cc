import { tensorSpecs, totalElements } from '../models/model-traits.ts';
import { attendedShare } from './attention-parts.ts';
import { CHUNK_ROWS } from './token-logprobs.ts';
import { trainableSpecs, type LayerForm, type TrainingModel } from './training-graph.ts';

/** The sizes of a micro-batch that memory depends on. */
export interface MicroBatchSize {
  readonly rows: number;
  /** T, padding included. */
  readonly length: number;
  /** Predicted tokens, R. */
  readonly predicted: number;
  /** Whether each row has a mask of its own. */
  readonly shared: boolean;
}

/** What KL is measured to, as far as memory goes: the base is held anyway, another policy's trained tensors are held besides. */
export type KlReference = 'none' | 'base' | 'trained';

/** @param trained whether it is to another policy than the base */
export function klReference(beta: number, trained: boolean): KlReference {
  if (beta === 0) return 'none';
  return trained ? 'trained' : 'base';
}

/** Bytes of a number. */
const FLOAT = 4;

/** Node, ONNX Runtime, graphs and their sessions. */
const PROCESS = 300e6;

/** What ONNX Runtime's allocator holds beyond what is asked of it: freed blocks that fit nothing (measured: 5 to 15%). */
const FRAGMENTS = 1.15;

/** Copies of a layer's values that its backward pass holds besides them: their gradients; of attention's largest part also scores. */
const BACKWARD_LINEAR = 1;
const BACKWARD_ATTENTION = 3;

/** Copies of attention that its forward pass holds at once: scores, masked scores, shares. */
const FORWARD_ATTENTION = 3;

/** Parts of the output layer of size [R, chunk], and [R, hidden], held at once. */
const HEAD_CHUNKS = 3;
const HEAD_ROWS = 8;
/** The gradient of the output layer besides its sum: its chunks, and then all of them in one. */
const HEAD_GRADIENTS = 2;

/**
 * Bytes of the process at the peak of a training step, as an estimate: a function of shapes alone, so that what is decided by
 * it is the same on every day.
 *
 * A layer keeps for its backward pass, per token, 4·hidden + 3·queries + 2·keys + 4·ffn numbers, and its attention heads·T² per
 * row, or what is left of it in parts; a recomputed one keeps its input, and all of the rest is there for one layer at a time.
 *
 * The forward pass of a reference holds one layer at a time and one part of its attention. It has ended before the training graph
 * runs, but not before that graph's allocator, which keeps what its last step took.
 */
export function trainingMemory(
  model: TrainingModel,
  size: MicroBatchSize,
  { recomputedLayers, attentionParts }: LayerForm,
  reference: KlReference = 'none',
): number {
  const { hidden, layers, heads, kvHeads, headDim, ffn, vocab } = model.traits;
  const tokens = size.rows * size.length;
  const adapters = model.lora === null ? 0 : 7 * model.lora.rank;
  const linear =
    tokens * (4 * hidden + 3 * heads * headDim + 2 * kvHeads * headDim + 4 * ffn + adapters);
  const share = attendedShare(attentionParts);
  const scores = size.rows * heads * size.length ** 2;
  const attention = share * scores;
  const part = scores / attentionParts;
  const inputs = tokens * hidden;
  const kept = (layers - recomputedLayers) * (linear + attention) + recomputedLayers * inputs;
  const oneMore = recomputedLayers > 0 ? linear + attention : 0;
  const layer = oneMore + BACKWARD_LINEAR * linear + BACKWARD_ATTENTION * part;
  const head = size.predicted * (HEAD_CHUNKS * Math.min(vocab, CHUNK_ROWS) + HEAD_ROWS * hidden);
  const masks = (size.shared ? size.rows : 1) * size.length ** 2 * (1 + share * (heads / kvHeads));
  // Comes last, when all of the layers is gone.
  const output = model.lora === null ? HEAD_GRADIENTS * vocab * hidden : 0;
  const most = Math.max(kept + Math.max(layer, head), output);
  const forward = Math.max(linear + FORWARD_ATTENTION * part, head);
  const pass = reference === 'none' ? 0 : forward;
  return heldMemory(model, reference) + FLOAT * FRAGMENTS * (most + masks + pass);
}

/**
 * What is held whatever the micro-batch: the base policy; what trains with its gradients, two moments and the outputs that a run
 * makes before they are copied; with adapters also the merged projections that complete prompts; and what KL is measured to.
 */
function heldMemory(model: TrainingModel, reference: KlReference): number {
  const copies = reference === 'trained' ? 6 : 5;
  return residentMemory(model, copies);
}

/**
 * What of an estimate a process holds before a step: itself, the base policy, with adapters the merged projections, and so many copies
 * of what trains.
 */
export function residentMemory(model: TrainingModel, copies: number): number {
  const specs = tensorSpecs(model.traits);
  const merged = model.lora === null ? [] : specs.filter(({ role }) => role.includes('projection'));
  const trained = copies * totalElements(trainableSpecs(model));
  return PROCESS + FLOAT * (totalElements(specs) + trained + totalElements(merged));
}
