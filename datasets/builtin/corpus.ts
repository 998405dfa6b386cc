import { hashSeed } from '../../contracts/hash.ts';
import type { Sample } from '../../contracts/sample.ts';
import { generateSample, generateTask } from './generator.ts';
import type { EvaluationSplit } from './splits.ts';
import type { Level } from './task.ts';
import { isWrong, withWrongLabel } from './wrong-labels.ts';

export interface CorpusOptions {
  readonly seed: number;
  readonly size: number;
  /** Shares of levels 0, 1, 2, 3 (and 4); need not add up to 1. */
  readonly levelMix: readonly number[];
  /** Share of samples whose ground truth is made wrong; default: none. */
  readonly wrongLabels?: number | undefined;
}

/** 1/φ: multiples of it, modulo 1, spread evenly, so every prefix of a corpus has nearly exactly its mix. */
const GOLDEN = 0.618033988749895;

function levelAt(index: number, seed: number, mix: readonly number[]): Level {
  const total = mix.reduce((sum, share) => sum + share, 0);
  const offset = (hashSeed('level mix', seed) % 65_536) / 65_536;
  let rest = ((offset + index * GOLDEN) % 1) * total;
  let level = 0;
  while (level < mix.length - 1 && rest >= (mix[level] ?? 0)) rest -= mix[level++] ?? 0;
  return level as Level;
}

/** A prompt as one number; two prompts that share it would only cost the corpus one of them. */
const contentHash = (sample: Sample): number =>
  hashSeed(...sample.messages.map(({ content }) => content));

/**
 * The built-in corpus for reinforcement learning, one sample after another, each task once.
 * A larger corpus of the same seed and mix begins with the smaller one; wrong labels change no prompt and no other sample.
 */
export function* builtinCorpus(options: CorpusOptions): Generator<Sample, void, undefined> {
  const { seed, size, levelMix, wrongLabels = 0 } = options;
  const seen = new Set<number>();
  for (let index = 0; seen.size < size; index++) {
    const level = levelAt(index, seed, levelMix);
    const { task, sample } = generateTask({ seed, index, level, split: 'train' });
    const content = contentHash(sample);
    if (seen.has(content)) continue;
    seen.add(content);
    yield isWrong(wrongLabels, seed, index) ? withWrongLabel(task, sample, seed, index) : sample;
  }
}

export interface EvaluationOptions {
  readonly seed: number;
  readonly size: number;
  readonly split: EvaluationSplit;
}

/** Held-out tasks, levels 0 to 3 in equal parts, each task once. */
export function builtinEvaluation(options: EvaluationOptions): Sample[] {
  const { seed, size, split } = options;
  const samples: Sample[] = [];
  const seen = new Set<number>();
  for (let index = 0; samples.length < size; index++) {
    const level = (samples.length % 4) as Level;
    const sample = generateSample({ seed, index, level, split });
    const content = contentHash(sample);
    if (seen.has(content)) continue;
    seen.add(content);
    samples.push(sample);
  }
  return samples;
}
