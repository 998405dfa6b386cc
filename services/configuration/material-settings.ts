import { z } from 'zod';
import { BACKENDS, TINKER_REDUCTIONS, TRAIN_MODES } from '../../contracts/config.ts';
import {
  place,
  positiveInt,
  randomPolicySchema,
  serviceUrl,
  warmStartPhaseSchema,
} from './nested-schemas.ts';
import { about } from './setting-groups.ts';

/** What is trained, where, and on what: keys of a run with their ranges and defaults. */
export const materialSettings = {
  policy: place()
    .default('builtin')
    .meta(about('Policy', '`builtin`, a Hugging Face folder, or `random` (see random-policy-…)')),
  randomPolicy: randomPolicySchema
    .prefault({})
    .meta(about('Policy', 'shape of a policy that starts from random weights')),
  trainMode: z
    .enum(TRAIN_MODES)
    .default('full')
    .meta(about('Policy', 'train all weights or LoRA adapters')),
  loraRank: positiveInt(1024).default(16).meta(about('Policy', 'rank of LoRA adapters')),
  loraAlpha: z
    .number()
    .gt(0)
    .max(65536)
    .default(32)
    .meta(about('Policy', 'LoRA scale: adapters are multiplied by alpha / rank')),

  backend: z
    .enum(BACKENDS)
    .default('onnx')
    .meta(
      about(
        'Training service',
        'what trains: this machine, or a service with the Tinker API (docs/tinker.md)',
      ),
    ),
  tinkerBaseUrl: serviceUrl()
    .default('http://127.0.0.1:8000')
    .meta(about('Training service', 'where the service answers; its key is TINKER_API_KEY')),
  baseModel: place()
    .default('auto')
    .meta(
      about('Training service', "the service's name for the model; `auto`: the only one it has"),
    ),
  tinkerReduction: z
    .enum(TINKER_REDUCTIONS)
    .default('sequence-mean')
    .meta(
      about(
        'Training service',
        'how the service adds up token losses; advantages are scaled for loss-type to hold',
      ),
    ),

  data: place()
    .default('builtin')
    .meta(about('Data', '`builtin` or a file of samples (formats: docs/data.md)')),
  evalData: place()
    .default('auto')
    .meta(
      about(
        'Data',
        'held-out samples: a file, or `auto` (built-in splits; of your data, a seeded part)',
      ),
    ),
  evalSuite: place()
    .default('none')
    .meta(
      about(
        'Data',
        "evaluated whenever held-out samples are: a file, a folder of BFCL's files (eval_size of each), or `none`",
      ),
    ),
  corpusSize: positiveInt(10_000_000)
    .default(256)
    .meta(about('Data', 'samples of the built-in corpus')),
  levelMix: z
    .array(z.number().min(0).max(1_000_000))
    .min(4)
    .max(5)
    .default([0.3, 0.3, 0.25, 0.15])
    .meta(about('Data', "shares of the built-in corpus's levels 0, 1, 2, 3 (and 4)")),
  wrongLabels: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .meta(about('Data', "share of the built-in corpus's ground truths that are made wrong")),
  evalSize: positiveInt(1_000_000)
    .default(300)
    .meta(about('Data', 'held-out samples of each split')),
  maxBadRows: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .default(0)
    .meta(about('Data', 'unusable rows of a file that are left out; one more, and it is refused')),
  maxPromptLength: z
    .int()
    .min(8)
    .max(1_000_000)
    .default(96)
    .meta(about('Data', 'samples with a longer prompt (tokens) are left out and counted')),
  maxCompletionLength: z
    .int()
    .min(8)
    .max(1_000_000)
    .default(64)
    .meta(about('Data', 'completions are cut off after so many tokens')),

  warmStart: z
    .array(warmStartPhaseSchema)
    .max(100)
    .default([])
    .meta(about('Cold start', 'supervised phases before reinforcement learning')),
};
