import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashSeed } from '../../contracts/hash.ts';
import type { GeneratedCompletion, GenerationPrompt } from '../../contracts/policy.ts';
import { folderFiles } from '../../policy/checkpoint/checkpoint-files.ts';
import { loadBaseWeights, readArchitecture } from '../../policy/checkpoint/base-weights.ts';
import { createGenerator, type Generator } from '../../policy/generation/generator.ts';
import { BUDGET } from '../../policy/generation/prompt-groups.ts';
import { onCpu } from '../../policy/graph/session.ts';
import type { Weights } from '../../policy/models/initial-weights.ts';
import { elementCount, tensorSpecs } from '../../policy/models/model-traits.ts';
import { readPolicyText } from '../../policy/text/policy-text.ts';
import { referenceLogits, referenceLogprob } from './support/reference-decoder.ts';
import { sharpWeights } from './support/sharp-weights.ts';
import { TINY } from './support/tiny-policy.ts';

const SMOLLM2 = process.env['TOOLSAMPLE_SMOLLM2'];
const traits = { ...TINY.traits, vocab: 60 };
const EOS = 7;

const promptIds = (length: number, salt: number): number[] =>
  Array.from({ length }, (_, i) => 8 + (hashSeed(salt, i) % 52));

const weights = sharpWeights(traits);
let generator: Generator;
beforeAll(() => {
  generator = createGenerator({ traits, contextLength: 64, eosIds: [EOS, 5], runtime: onCpu(1) });
});
afterAll(async () => {
  await generator.close();
});

const prompts: GenerationPrompt[] = [
  { ids: promptIds(9, 1), seeds: [11, 12, 13] },
  { ids: promptIds(3, 2), seeds: [21] },
  { ids: promptIds(20, 3), seeds: [31, 32] },
  { ids: promptIds(3, 4), seeds: [41, 42, 43, 44] },
];
const sampling = { temperature: 0.9, topP: 1, maxNewTokens: 40 };
const whole = (c: GeneratedCompletion, from = prompts): number[] => [
  ...from[c.prompt]!.ids,
  ...c.ids,
];

describe('generation', () => {
  it('computes, token by token, the log-probabilities of a plain forward pass', async () => {
    const completions = await generator.generate(weights, prompts, sampling);
    expect(completions.map((c) => [c.prompt, c.index])).toEqual(
      prompts.flatMap(({ seeds }, p) => seeds.map((_, i) => [p, i])),
    );
    let worst = 0;
    for (const completion of completions) {
      const start = prompts[completion.prompt]!.ids.length;
      const logits = referenceLogits(traits, weights, whole(completion));
      completion.ids.forEach((id, t) => {
        const expected = referenceLogprob(logits[start + t - 1]!, id, sampling.temperature);
        worst = Math.max(worst, Math.abs(expected - completion.logprobs[t]!));
      });
    }
    expect(worst).toBeLessThan(1e-4);
    // Lengths differ, so that rows left the batch while others went on; some passed the cache's first capacity.
    const lengths = completions.map((c) => c.ids.length);
    expect(new Set(lengths).size).toBeGreaterThan(3);
    expect(Math.max(...lengths)).toBeGreaterThan(34);
  });

  it('takes the likeliest token when greedy, with untied embeddings too', async () => {
    const untied = { ...traits, tied: false, heads: 4, kvHeads: 4 };
    const other = sharpWeights(untied);
    const second = createGenerator({
      traits: untied,
      contextLength: 64,
      eosIds: [EOS],
      runtime: onCpu(1),
    });
    for (const [engine, shape, tensors] of [
      [generator, traits, weights],
      [second, untied, other],
    ] as const) {
      const greedy = { temperature: 0, topP: 1, maxNewTokens: 12 };
      for (const completion of await engine.generate(tensors, prompts, greedy)) {
        const start = prompts[completion.prompt]!.ids.length;
        const logits = referenceLogits(shape, tensors, whole(completion));
        completion.ids.forEach((id, t) => {
          const row = logits[start + t - 1]!;
          expect(id).toBe(row.indexOf(Math.max(...row)));
          expect(completion.logprobs[t]).toBeCloseTo(referenceLogprob(row, id), 4);
        });
      }
    }
    await second.close();
  });

  it('gives the same bytes for the same request, other tokens for other seeds', async () => {
    const first = await generator.generate(weights, prompts, sampling);
    expect(await generator.generate(weights, prompts, sampling)).toEqual(first);
    const reseeded = prompts.map(({ ids, seeds }) => ({ ids, seeds: seeds.map((s) => s + 1000) }));
    const others = await generator.generate(weights, reseeded, sampling);
    const same = others.filter((c, i) => c.ids.join() === first[i]!.ids.join());
    expect(same.length).toBeLessThan(3);
  });

  it('draws the same tokens in any company', async () => {
    const together = await generator.generate(weights, prompts, sampling);
    for (const completion of together) {
      const { ids, seeds } = prompts[completion.prompt]!;
      const [alone] = await generator.generate(
        weights,
        [{ ids, seeds: [seeds[completion.index]!] }],
        sampling,
      );
      expect(alone!.ids).toEqual(completion.ids);
      alone!.logprobs.forEach((p, t) => expect(p).toBeCloseTo(completion.logprobs[t]!, 4));
    }
  });

  it('lets prompts join what is under way, and gives them the tokens they get alone', async () => {
    const many = Array.from({ length: 14 }, (_, i) => ({
      ids: promptIds(3 + (i % 5) * 4, 50 + i),
      seeds: i % 4 === 0 ? [i, 100 + i, 200 + i] : [i],
    }));
    const narrow = createGenerator({
      traits,
      contextLength: 64,
      eosIds: [EOS, 5],
      runtime: onCpu(1),
      budget: { ...BUDGET, rows: 4 },
    });
    let steps = 0;
    const joined = await narrow.generate(weights, many, sampling, { onTokens: () => steps++ });
    expect(await narrow.generate(weights, many, sampling)).toEqual(joined);
    for (const completion of joined) {
      const { ids, seeds } = many[completion.prompt]!;
      const [alone] = await generator.generate(
        weights,
        [{ ids, seeds: [seeds[completion.index]!] }],
        sampling,
      );
      expect(alone!.ids).toEqual(completion.ids);
      expect(alone!.finishReason).toBe(completion.finishReason);
      alone!.logprobs.forEach((p, t) => {
        expect(Math.abs(p - completion.logprobs[t]!)).toBeLessThan(1e-5);
      });
    }
    // Had each four rows waited for the longest of the four before, it would have taken more steps.
    const order = [...joined].sort(
      (a, b) => many[a.prompt]!.ids.length - many[b.prompt]!.ids.length || a.prompt - b.prompt,
    );
    let waves = 0;
    for (let from = 0; from < order.length; from += 4) {
      waves += Math.max(...order.slice(from, from + 4).map(({ ids }) => ids.length));
    }
    expect(steps).toBeLessThan(waves);
    let checks = 0;
    const stop = narrow.generate(weights, many, sampling, {
      checkAbort: () => {
        if (++checks > 30) throw new Error('enough');
      },
    });
    await expect(stop).rejects.toThrow('enough');
    expect(checks).toBe(31);
    await narrow.close();
  });

  it('computes long prompts in blocks, up to rounding the same', async () => {
    const few = createGenerator({
      traits,
      contextLength: 64,
      eosIds: [EOS, 5],
      runtime: onCpu(1),
      // A prompt of 3 tokens is computed in one run, those of 9 and 20 are not.
      budget: { ...BUDGET, prefillBytes: 8000 },
    });
    for (const temperature of [0.9, 0]) {
      const request = { ...sampling, temperature };
      let [runs, runsInBlocks] = [0, 0];
      const whole = await generator.generate(weights, prompts, request, {
        checkAbort: () => runs++,
      });
      const inBlocks = await few.generate(weights, prompts, request, {
        checkAbort: () => runsInBlocks++,
      });
      // Of 9 tokens a block has 5, of 20 it has 4; the others take one run.
      expect(runsInBlocks - runs).toBe(2 + 5);
      expect(inBlocks.map(({ ids }) => ids)).toEqual(whole.map(({ ids }) => ids));
      for (const [i, { logprobs }] of whole.entries()) {
        for (const [t, p] of logprobs.entries()) {
          expect(Math.abs(p - inBlocks[i]!.logprobs[t]!)).toBeLessThan(1e-5);
        }
      }
    }
    await few.close();
  });

  it('computes the same with packed matrices, and keeps them as long as the weights are the same', async () => {
    const parts = { qkvBias: true, qkNorm: true };
    const large = { ...traits, ...parts, hidden: 256, layers: 11, ffn: 2048 };
    const filled = (factor: number): Weights =>
      new Map(
        tensorSpecs(large).map(({ name, dims, role }) => {
          const data = new Float32Array(elementCount(dims)).fill(1);
          const wave = Float32Array.from({ length: 7919 }, (_, i) => factor * Math.sin(i * i));
          if (role === 'norm') return [name, { dims, data }];
          for (let at = 0; at < data.length; at += wave.length) {
            data.set(wave.subarray(0, data.length - at), at);
          }
          return [name, { dims, data }];
        }),
      );
    const first = filled(0.05);
    const engine = createGenerator({
      traits: large,
      contextLength: 80,
      eosIds: [],
      runtime: onCpu(1),
    });
    const request = [{ ids: promptIds(9, 1), seeds: [1, 2] }];
    // One token less, and packing does not pay.
    const fed = await engine.generate(first, request, { ...sampling, maxNewTokens: 63 });
    const longer = { ...sampling, maxNewTokens: 64 };
    const packed = await engine.generate(first, request, longer, { weightsKey: 'first' });
    for (const [i, { ids, logprobs }] of packed.entries()) {
      expect(ids.slice(0, 63)).toEqual(fed[i]!.ids);
      for (const [t, p] of fed[i]!.logprobs.entries()) {
        expect(Math.abs(p - logprobs[t]!)).toBeLessThan(1e-5);
      }
    }
    const second = filled(0.04);
    const other = await engine.generate(second, request, longer, { weightsKey: 'second' });
    expect(other).not.toEqual(packed);
    expect(await engine.generate(second, request, longer, { weightsKey: 'second' })).toEqual(other);
    await engine.forgetWeights();
    expect(await engine.generate(first, request, longer)).toEqual(packed);
    await engine.close();
  });

  it('samples in 8 bits near the policy, with the probabilities that it sampled with', async () => {
    const call = { precision: 'int8', weightsKey: 'a' } as const;
    const completions = await generator.generate(weights, prompts, sampling, call);
    expect(await generator.generate(weights, prompts, sampling, call)).toEqual(completions);
    const off = completions.flatMap((completion) => {
      const start = prompts[completion.prompt]!.ids.length;
      const logits = referenceLogits(traits, weights, whole(completion));
      return completion.ids.map((id, t) =>
        Math.abs(
          referenceLogprob(logits[start + t - 1]!, id, sampling.temperature) -
            completion.logprobs[t]!,
        ),
      );
    });
    const mean = off.reduce((sum, each) => sum + each, 0) / off.length;
    expect(mean).toBeGreaterThan(1e-4);
    expect(mean).toBeLessThan(0.1);
    // fp32 is what comes next, not what was rounded.
    const exact = await generator.generate(weights, prompts, sampling, { weightsKey: 'a' });
    expect(exact).toEqual(await generator.generate(weights, prompts, sampling));
    expect(exact).not.toEqual(completions);
  });

  it('samples in 8 bits on the CPU only', async () => {
    const runtime = { device: 'webgpu', threads: 1 } as const;
    const elsewhere = createGenerator({ traits, contextLength: 64, eosIds: [], runtime });
    await expect(
      elsewhere.generate(weights, prompts, sampling, { precision: 'int8' }),
    ).rejects.toThrow('8-bit matrices are for the CPU, the policy is on webgpu');
  });

  it('stops at any EOS, which it keeps, or at a limit', async () => {
    const completions = await generator.generate(weights, prompts, sampling);
    for (const { ids, finishReason } of completions) {
      expect(ids.slice(0, -1).some((id) => id === EOS || id === 5)).toBe(false);
      expect(finishReason).toBe([EOS, 5].includes(ids.at(-1)!) ? 'stop' : 'length');
      if (finishReason === 'length') expect(ids.length).toBe(40);
    }
    const reasons = new Set(completions.map((c) => c.finishReason));
    expect(reasons.size).toBe(2);
  });

  it('never exceeds the context', async () => {
    const long = [{ ids: promptIds(60, 5), seeds: [1, 2, 3] }];
    const completions = await generator.generate(weights, long, { ...sampling, maxNewTokens: 50 });
    expect(Math.max(...completions.map((c) => c.ids.length))).toBe(4);
    await expect(
      generator.generate(weights, [{ ids: promptIds(64, 5), seeds: [1] }], sampling),
    ).rejects.toThrow(/prompt 1 has 64 tokens, the policy's context 64/);
    await expect(
      generator.generate(weights, [{ ids: [60], seeds: [1] }], sampling),
    ).rejects.toThrow(/token id 60/);
  });

  it('draws tokens as often as their probabilities say, within the nucleus', async () => {
    const ids = promptIds(6, 9);
    const seeds = Array.from({ length: 3000 }, (_, i) => i);
    const logits = referenceLogits(traits, weights, ids).at(-1)!;
    const ranked = logits
      .map((_, id) => ({ id, p: Math.exp(referenceLogprob(logits, id, 0.9)) }))
      .sort((a, b) => b.p - a.p);
    for (const topP of [1, 0.7]) {
      const drawn = await generator.generate(weights, [{ ids, seeds }], {
        temperature: 0.9,
        topP,
        maxNewTokens: 1,
      });
      const counts = new Map<number, number>();
      for (const {
        ids: [id],
      } of drawn)
        counts.set(id!, (counts.get(id!) ?? 0) + 1);
      let mass = 0;
      const nucleus = ranked.filter(({ p }) => {
        const inside = mass < topP;
        mass += inside ? p : 0;
        return inside;
      });
      if (topP < 1) {
        expect(nucleus.length).toBeLessThan(traits.vocab);
        expect([...counts.keys()].every((id) => nucleus.some((n) => n.id === id))).toBe(true);
      }
      for (const { id, p } of nucleus) {
        const expected = p / mass;
        const error = Math.abs((counts.get(id) ?? 0) / seeds.length - expected);
        expect(error).toBeLessThan(
          5 * Math.sqrt((expected * (1 - expected)) / seeds.length) + 1e-3,
        );
      }
      // Log-probabilities are those before the nucleus was cut out.
      const {
        ids: [id],
        logprobs: [logprob],
      } = drawn[0]!;
      expect(logprob).toBeCloseTo(referenceLogprob(logits, id!, 0.9), 4);
    }
  });

  it('refuses to draw from what is not a distribution', async () => {
    const diverged = sharpWeights(traits);
    diverged.get('model.norm.weight')!.data.fill(NaN);
    for (const temperature of [0, 1]) {
      const attempt = generator.generate(diverged, prompts, { ...sampling, temperature });
      await expect(attempt).rejects.toMatchObject({ code: 'non-finite' });
    }
  });

  it('reports progress and stops when asked to', async () => {
    const seen: [number, number][] = [];
    await generator.generate(weights, prompts, sampling, {
      onTokens: (done, total) => seen.push([done, total]),
    });
    expect(seen[0]![0]).toBe(10);
    expect(seen.at(-1)![0]).toBe(seen.at(-1)![1]);
    for (let i = 1; i < seen.length; i++) expect(seen[i]![0]).toBeGreaterThan(seen[i - 1]![0]);
    let checks = 0;
    const call = {
      checkAbort: () => {
        if (++checks > 3) throw new Error('enough');
      },
    };
    await expect(generator.generate(weights, prompts, sampling, call)).rejects.toThrow('enough');
    expect(checks).toBe(4);
  });

  it.skipIf(SMOLLM2 === undefined)(
    'lets SmolLM2 answer',
    async () => {
      const files = await folderFiles(SMOLLM2!);
      const architecture = await readArchitecture(files);
      const text = await readPolicyText(files);
      const real = createGenerator({ ...architecture, eosIds: text.eosIds, runtime: onCpu(0) });
      const question = { role: 'user', content: 'What is the capital of France?' } as const;
      const [answer] = await real.generate(
        await loadBaseWeights(files, architecture),
        [{ ids: text.encodePrompt({ messages: [question] }), seeds: [1] }],
        { temperature: 0, topP: 1, maxNewTokens: 30 },
      );
      expect(text.decode(answer!.ids)).toBe('The capital of France is Paris.');
      expect(answer!.finishReason).toBe('stop');
      await real.close();
    },
    120_000,
  );
});
