import type { ModelTraits } from '../models/model-traits.ts';
import { elementCount } from '../models/model-traits.ts';
import { keyValueBytes } from './generation-costs.ts';
import { matrixSpecs, type MatrixPlace } from './graph-interface.ts';
import { PREFILL_TOKENS, prefillTokenBytes } from './prefill-run.ts';
import type { GenerationBudget, PromptGroup } from './prompt-groups.ts';

/** Keys and values are copied when prompts join or rows leave. */
const CACHE_COPIES = 2;

/** Copies of a row's logits: scaled, as probabilities, and fetched. */
const LOGITS = 4;

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
  const matrices = place === 'fed' ? [] : matrixSpecs(traits);
  const packed = matrices.reduce((sum, { dims }) => sum + 4 * elementCount(dims), 0);
  return CACHE_COPIES * cache + prefill + decode + packed;
}
