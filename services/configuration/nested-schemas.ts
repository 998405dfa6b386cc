import { z } from 'zod';
import { ABLATIONS } from '../../contracts/sampling.ts';

export const positiveInt = (max: number) => z.int().min(1).max(max);
const share = () => z.number().min(0).max(1);
export const place = () => z.string().min(1).max(4096);
/** Credentials in a URL would be stored with the run. */
export const serviceUrl = () =>
  z
    .string()
    .max(2048)
    .regex(/^https?:\/\/[^\s/?#@]+(\/[^\s?#@]*)?$/i)
    .meta({ accepts: 'an http or https URL without user, password, query and fragment' });
export const memorySize = () =>
  z
    .string()
    .regex(/^\d+(\.\d+)?\s?[MG]i?B$/i)
    .meta({ accepts: 'a size such as 8GB or 6000MiB' });

/** Shape of a Llama policy that starts from random weights. */
export const randomPolicySchema = z.strictObject({
  hiddenSize: positiveInt(8192).describe('width of the residual stream').default(128),
  layers: positiveInt(128).describe('transformer blocks').default(3),
  heads: positiveInt(128).describe('attention heads; divides the width').default(4),
  keyValueHeads: positiveInt(128).describe('key/value heads; divides the heads').default(2),
  intermediateSize: positiveInt(32768).describe('width of the feed-forward layer').default(352),
  vocabularySize: z
    .int()
    .min(260)
    .max(262144)
    .describe('tokens of the vocabulary, the 256 bytes and special tokens included')
    .default(1024),
});

/** How careless the demonstrations of the built-in generator are: independent probabilities. */
const noiseSchema = z.strictObject({
  rawValue: share().describe('a value is left as the user wrote it').default(0),
  droppedCall: share().describe('each call after the first is dropped').default(0),
  missingParameter: share().describe('one parameter is missing').default(0),
  wrongTool: share().describe("the distractor's name is called").default(0),
  brokenFormat: share().describe('tags or JSON are broken').default(0),
});

/**
 * One phase of the supervised cold start. `data`, the learning rates and `batchTokens` have defaults that depend on the
 * policy (see `defaults.ts`); `steps` has none: its presence is what makes a phase.
 */
export const warmStartPhaseSchema = z.strictObject({
  data: place().describe(
    'demonstrations: `builtin` (an endless seeded stream) or a file of samples',
  ),
  steps: positiveInt(10_000_000).describe('optimiser steps of this phase'),
  learningRate: z.number().min(0).max(1).describe('learning rate of the first step'),
  finalLearningRate: z
    .number()
    .min(0)
    .max(1)
    .describe('learning rate of the last step; linear between'),
  batchTokens: positiveInt(10_000_000).describe('tokens of one batch at most'),
  levels: z
    .array(z.int().min(0).max(4))
    .min(1)
    .max(5)
    .describe('levels of the built-in generator that are drawn')
    .default([0, 1, 2, 3]),
  noise: noiseSchema.describe('carelessness of built-in demonstrations').prefault({}),
});

export const samplingSchema = z.strictObject({
  ablate: z
    .array(z.enum(ABLATIONS))
    .max(ABLATIONS.length)
    .describe('parts of DSCL to switch off')
    .default([]),
  activationReward: z
    .number()
    .min(-3)
    .max(4)
    .describe('dynamic sampling starts after the mean reward of a batch exceeded this …')
    .default(1),
  activationPatience: z
    .int()
    .min(0)
    .max(100_000)
    .describe('… in so many consecutive batches')
    .default(7),
  hardThreshold: z
    .number()
    .min(-3)
    .max(4)
    .describe('mean reward below which a sample counts as hard')
    .default(1),
  varianceThreshold: share()
    .describe('normalised variance below which a sample counts as standing still')
    .default(0.02),
  uniformShare: share().describe('share of the uniform distribution mixed in').default(0.1),
  temperature: z.number().min(0.01).max(100).describe('importance is raised to 1/τ').default(1),
  halfLifeEpochs: z
    .number()
    .min(0.01)
    .max(10_000)
    .describe('half-life of what is known of a sample, in corpus epochs')
    .default(2),
});
