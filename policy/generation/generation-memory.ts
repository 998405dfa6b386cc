import type { ModelTraits } from '../models/model-traits.ts';
import { elementCount } from '../models/model-traits.ts';
import { keyValueBytes } from './generation-costs.ts';
import { int8Bytes } from './int8-weights.ts';
import { matrixSpecs, type MatrixPlace } from './matrices.ts';
import { PREFILL_TOKENS, prefillTokenBytes } from './prefill-run.ts';
import type { GenerationBudget, PromptGroup } from './prompt-groups.ts';

/** Keys and values are copied when prompts join or rows leave. */
const CACHE_COPIES = 2;

/** Copies of rounded matrices: as they are handed over, as prefill, long prefill and decoding have them. */
const INT8_COPIES = 4;

/** A row's logits, as probabilities, and fetched. */
const LOGITS = 3;

/** Bytes by which a process may grow while it completes groups, as an estimate from shapes. @param place where decoding's matrices go */
export function generationMemory(
  traits: ModelTraits,
  groups: readonly PromptGroup[],
  place: MatrixPlace,
  budget: GenerationBudget,
): number {
  const total = groups.reduce((sum, group) => sum + group.rows.length, 0);
  const rows = Math.min(budget.rows, total);
  const prompt = Math.max(0, ...groups.map(({ ids }) => ids.length));
  const own = Math.max(0, ...groups.map((group) => group.rows[0]?.limit ?? 0));
  const tokens = Math.min(groups.length, rows) * prompt + rows * own;
  const cache = Math.min(budget.cacheBytes, tokens * keyValueBytes(traits));
  const prefilled = Math.min(PREFILL_TOKENS, groups.length * prompt);
  const prefill = Math.min(budget.prefillBytes, prefilled * prefillTokenBytes(traits, prompt));
  const logits = 4 * LOGITS * Math.min(rows, PREFILL_TOKENS) * traits.vocab;
  const decode = rows * prefillTokenBytes(traits, prompt + own) + logits;
  return CACHE_COPIES * cache + prefill + decode + matrixBytes(traits, place);
}

function matrixBytes(traits: ModelTraits, place: MatrixPlace): number {
  if (place === 'fed') return 0;
  const bytes = (dims: readonly number[]): number =>
    place === 'packed' ? 4 * elementCount(dims) : INT8_COPIES * int8Bytes(dims);
  return matrixSpecs(traits).reduce((sum, { dims }) => sum + bytes(dims), 0);
}
