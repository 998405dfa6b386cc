import { expect, it } from 'vitest';
import { createGenerator } from '../../policy/generation/generator.ts';
import { onCpu } from '../../policy/graph/session.ts';
import { initialWeights } from '../../policy/models/initial-weights.ts';
import type { ModelTraits } from '../../policy/models/model-traits.ts';

/** Nearly all that a prefill takes is attention. */
const TRAITS: ModelTraits = {
  hidden: 16,
  layers: 1,
  heads: 16,
  kvHeads: 8,
  headDim: 4,
  ffn: 16,
  vocab: 64,
  ropeTheta: 10_000,
  rmsEps: 1e-5,
  tied: true,
};
const LENGTH = 3000;
const SCORES = 4 * TRAITS.heads * LENGTH ** 2;

const peakMemory = (): number => 1024 * process.resourceUsage().maxRSS;

it('a long prompt takes less memory than its scores would', async () => {
  const weights = initialWeights(TRAITS, 1);
  const generator = createGenerator({
    traits: TRAITS,
    contextLength: LENGTH + 8,
    eosIds: [],
    runtime: onCpu(1),
  });
  try {
    const ids = Array.from({ length: LENGTH }, (_, i) => i % 60);
    const sampling = { temperature: 0, topP: 1, maxNewTokens: 4 };
    const before = peakMemory();
    const [completion] = await generator.generate(weights, [{ ids, seeds: [1] }], sampling);
    expect(completion?.ids).toHaveLength(4);
    expect(peakMemory() - before).toBeLessThan(SCORES);
  } finally {
    await generator.close();
  }
}, 60_000);
