import { describe, expect, it } from 'vitest';
import { SMOLLM2_135M } from '../../bench/smollm2-shape.ts';
import type { TrainingMemory } from '../../contracts/policy.ts';
import { tokenCosts } from '../../policy/models/model-traits.ts';
import { trainingMemory } from '../../policy/training/memory-estimate.ts';
import { sharedRows } from '../../policy/training/packed-rows.ts';
import {
  checkMemoryLimit,
  planStep,
  UNLIMITED,
  type StepPlan,
} from '../../policy/training/step-plan.ts';

const FULL = { traits: SMOLLM2_135M, lora: null };
const LORA = { traits: SMOLLM2_135M, lora: { rank: 16, alpha: 32 } };

const group = (prompt: number, completion: number, size: number) =>
  Array.from({ length: size }, () => ({
    promptIds: Array.from({ length: prompt }, (_, i) => i),
    completionIds: Array.from({ length: completion }, (_, i) => i),
  }));

function plan(
  model: typeof FULL | typeof LORA,
  sequences: ReturnType<typeof group>,
  memory: Partial<TrainingMemory>,
): StepPlan {
  const costs = tokenCosts(model.traits);
  const rows = (tokens: number) => sharedRows(sequences, costs, tokens);
  return planStep(model, sequences, rows, 4096, { ...UNLIMITED, ...memory });
}

const shape = ({ micros, form }: StepPlan): string =>
  `${micros.map(({ members, length }) => `${members.length}×${length}`).join(' ')}, ${form.recomputedLayers}`;

const peakOf = (model: typeof FULL | typeof LORA, { micros, form }: StepPlan) =>
  Math.max(
    ...micros.map(({ rows, length, targets, shared }) =>
      trainingMemory(model, { rows, length, predicted: targets.length, shared }, form),
    ),
  );

function within(work: (memory: TrainingMemory) => unknown, limit: number): boolean {
  try {
    work({ ...UNLIMITED, limit, strict: true });
    return true;
  } catch {
    return false;
  }
}

describe('the plan of a step', () => {
  const sequences = group(750, 96, 8);

  it('recomputes nothing without a limit, or within a large one', () => {
    const free = plan(FULL, sequences, {});
    expect(shape(free)).toBe('8×1517, 0');
    expect(shape(plan(FULL, sequences, { limit: 64e9 }))).toBe(shape(free));
  });

  it('divides a batch of many lengths within a large limit just as without one', () => {
    const many = Array.from({ length: 40 }, (_, i) => group(10 + 7 * i, 5 + (i % 9), 2)).flat();
    expect(shape(plan(FULL, many, { limit: 64e9 }))).toBe(shape(plan(FULL, many, {})));
  });

  it('recomputes more and more layers as the limit falls, then divides', () => {
    const found = [10e9, 8e9, 7e9, 5.5e9, 4.3e9].map((limit) => {
      const limited = plan(FULL, sequences, { limit });
      expect(peakOf(FULL, limited)).toBeLessThanOrEqual(limit);
      return limited;
    });
    const layers = found.map(({ form }) => form.recomputedLayers);
    expect(layers).toEqual(layers.toSorted((a, b) => a - b));
    expect(layers[0]).toBe(0);
    expect(layers.at(-1)).toBe(30);
    expect(plan(FULL, sequences, { limit: 3.9e9 }).micros.length).toBeGreaterThan(1);
  });

  it('computes every sequence once, whatever the limit', () => {
    for (const limit of [20e9, 4e9, 1e9]) {
      const { micros } = plan(FULL, [...sequences, ...group(300, 40, 5)], { limit });
      const members = micros.flatMap((micro) => micro.members);
      expect(members.toSorted((a, b) => a - b)).toEqual(members.map((_, i) => i));
    }
  });

  it('holds SmolLM2-135M on prompts of 2,048 tokens in 8 GB', () => {
    const long = group(2048, 96, 8);
    for (const model of [FULL, LORA]) {
      expect(peakOf(model, plan(model, long, { limit: 8e9, strict: true }))).toBeLessThan(8e9);
    }
  });

  it("holds LoRA on Qwen2.5-0.5B's shape in 12 GB", () => {
    const traits = {
      ...SMOLLM2_135M,
      hidden: 896,
      layers: 24,
      heads: 14,
      kvHeads: 2,
      ffn: 4864,
      vocab: 151_936,
    };
    const model = { ...LORA, traits };
    const limited = plan(model, group(2048, 96, 8), { limit: 12e9, strict: true });
    expect(peakOf(model, limited)).toBeLessThan(12e9);
  });

  it('says before a run whether its longest sequence can be within the limit', () => {
    const memory = { ...UNLIMITED, strict: true };
    const longest = { prompt: 2048, completion: 256 };
    const check = (limit: number) => () => {
      checkMemoryLimit(FULL, longest, { ...memory, limit }, 'none', 'raise it');
    };
    expect(check(8e9)).not.toThrow();
    expect(check(4e9)).toThrow(expect.objectContaining({ code: 'config', hint: 'raise it' }));
  });

  it('lets no limit through that a step of shorter sequences is not within', () => {
    // From 512 tokens on attention is computed in parts: 511 tokens take more memory than 520.
    const traits = {
      ...SMOLLM2_135M,
      hidden: 64,
      layers: 2,
      heads: 64,
      kvHeads: 64,
      headDim: 1,
      ffn: 64,
    };
    const model = { traits: { ...traits, vocab: 300 }, lora: null };
    let passed = 0;
    for (let limit = 300e6; limit < 1.2e9; limit += 5e6) {
      const checked = within((memory) => {
        checkMemoryLimit(model, { prompt: 500, completion: 20 }, memory, 'none', 'raise it');
      }, limit);
      if (!checked) continue;
      passed++;
      for (const prompt of [500, 491]) {
        const step = within((memory) => plan(model, group(prompt, 20, 8), memory), limit);
        expect([limit, prompt, step]).toEqual([limit, prompt, true]);
      }
    }
    expect(passed).toBeGreaterThan(0);
  });

  it('refuses a limit that the user set and that nothing is within; otherwise takes what is least', () => {
    const refused = { code: 'config', hint: expect.stringContaining('raise it') as string };
    expect(() => plan(FULL, sequences, { limit: 1e9, strict: true })).toThrow(
      expect.objectContaining(refused),
    );
    const least = plan(FULL, sequences, { limit: 1e9 });
    expect(least.form.recomputedLayers).toBe(30);
    expect(least.micros.every(({ members }) => members.length === 1)).toBe(true);
  });

  it('recomputes everything when told to', () => {
    expect(shape(plan(FULL, sequences, { recompute: true }))).toBe('8×1517, 30');
    // Within a limit the batch stays as it was divided: a larger micro-batch would take more than what was too much.
    for (const limit of [7e9, 4.3e9, 3.9e9]) {
      const failed = plan(FULL, sequences, { limit, strict: true });
      const next = plan(FULL, sequences, { limit, strict: true, recompute: true });
      expect(next.micros).toEqual(failed.micros);
      expect(peakOf(FULL, next)).toBeLessThanOrEqual(peakOf(FULL, failed));
    }
  });
});
