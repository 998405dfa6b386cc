import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { checkValue } from '../contracts/checked-value.ts';
import { DEVICES } from '../contracts/config.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import { VALUE_MATCHES } from '../contracts/reward.ts';
import { SUITES, type EvaluationAsked } from '../contracts/suite-evaluation.ts';
import { BFCL_CATEGORIES, type BfclCategory } from './bfcl/categories.ts';
import { answersFile, categoriesIn } from './bfcl/questions.ts';

/** A policy of a run, of the end of an epoch; undefined: the newest. */
export interface PolicyOfRun {
  readonly run: string;
  readonly epoch: number | 'best' | undefined;
}

/** What a user asks for. Relative paths are of the working directory. */
export interface EvaluationInput {
  /** `builtin`, a Hugging Face folder, or a policy of a run. */
  readonly policy: string | PolicyOfRun;
  /** `bfcl`, or a file of samples. */
  readonly suite: string;
  /** The folder of BFCL's files; none for a file of samples. */
  readonly data?: string | undefined;
  /** BFCL's categories; default: those whose files are there. */
  readonly categories?: readonly string[] | undefined;
  readonly limit?: number | null | undefined;
  readonly maxCompletionLength?: number | undefined;
  readonly valueMatch?: EvaluationAsked['valueMatch'] | undefined;
  readonly maxBadRows?: number | undefined;
  readonly shardSize?: number | undefined;
  readonly device?: EvaluationAsked['device'] | undefined;
  readonly threads?: number | undefined;
}

/** An evaluation whose policy is not decided yet where it is one of a run. */
export type CheckedEvaluation = Omit<EvaluationAsked, 'policy'> & Pick<EvaluationInput, 'policy'>;

/** An answer in words seldom takes more; the server of `toolsample serve` has the same limit. */
const COMPLETION_LENGTH = 512;
const SHARD_SIZE = 16;

const LIMITS = {
  limit: z.int().min(1).nullable(),
  maxCompletionLength: z.int().min(1),
  valueMatch: z.enum(VALUE_MATCHES),
  maxBadRows: z.int().min(0),
  shardSize: z.int().min(1).max(1024),
  device: z.enum(DEVICES),
  threads: z.int().min(0).max(1024),
};

const askedSchema = z.strictObject({
  policy: z.union([
    z.string().min(1),
    z.strictObject({ run: z.string().min(1), step: z.int().min(0) }),
  ]),
  policyName: z.string().min(1).max(500),
  suite: z.enum(SUITES),
  data: z.string().startsWith('/'),
  categories: z.array(z.enum(BFCL_CATEGORIES)),
  ...LIMITS,
  inputs: z.string(),
});

/** What a workflow was started with, by whatever client. @throws ToolsampleError `config` */
export function readAsked(given: unknown): EvaluationAsked {
  const { data, error } = checkValue(askedSchema, given);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  throw new ToolsampleError('config', issue?.message ?? 'is no evaluation', {
    at: { field: issue?.path.join('.') ?? '' },
    hint: 'start evaluations with `toolsample eval`',
  });
}

/**
 * What is asked for, with all defaults, absolute paths, and a fingerprint of the files.
 * @throws ToolsampleError `config` or `not-found`
 */
export async function checkedEvaluation(input: EvaluationInput): Promise<CheckedEvaluation> {
  const isBfcl = input.suite === 'bfcl';
  const { policy: given } = input;
  const policy = typeof given !== 'string' || given === 'builtin' ? given : resolve(given);
  const places = isBfcl ? await bfclPlaces(input) : await samplesPlace(input);
  const files = [...(await policyFiles(policy)), ...places.files];
  return {
    policy,
    policyName: typeof policy === 'string' ? basename(policy) : policy.run,
    suite: isBfcl ? 'bfcl' : 'samples',
    data: places.data,
    categories: places.categories,
    limit: input.limit ?? null,
    maxCompletionLength: input.maxCompletionLength ?? COMPLETION_LENGTH,
    valueMatch: input.valueMatch ?? 'toolrl',
    maxBadRows: input.maxBadRows ?? 0,
    shardSize: input.shardSize ?? SHARD_SIZE,
    device: input.device ?? 'cpu',
    threads: input.threads ?? 0,
    inputs: await fingerprint(files),
  };
}

interface Places {
  readonly data: string;
  readonly categories: readonly BfclCategory[];
  readonly files: readonly string[];
}

async function bfclPlaces({ data: given, categories: wanted }: EvaluationInput): Promise<Places> {
  if (given === undefined) {
    throw new ToolsampleError('config', "the folder of BFCL's files is missing", {
      at: { field: '--data' },
      hint: 'give --data DIR with BFCL_v4_simple_python.json and so on, and possible_answer/',
    });
  }
  const data = resolve(given);
  const found = await categoriesIn(data);
  const unknown = wanted?.find((name) => !BFCL_CATEGORIES.some((known) => known === name));
  if (unknown !== undefined) {
    throw new ToolsampleError('config', `"${unknown}" is no category`, {
      at: { field: '--categories' },
      hint: `categories are ${BFCL_CATEGORIES.join(', ')}`,
    });
  }
  const categories = BFCL_CATEGORIES.filter((name) => wanted?.includes(name) ?? found.has(name));
  const missing = categories.find((name) => !found.has(name));
  if (missing !== undefined || categories.length === 0) {
    const what = missing === undefined ? 'BFCL' : `the category "${missing}"`;
    throw new ToolsampleError('not-found', `there is no file of ${what}`, {
      at: { file: data },
      hint: 'give the folder with the files as BFCL publishes them, e.g. BFCL_v4_multiple.json',
    });
  }
  const questions = categories.flatMap((name) => found.get(name) ?? []);
  return { data, categories, files: questions.flatMap((file) => [file, answersFile(file)]) };
}

async function samplesPlace({ suite, data, categories }: EvaluationInput): Promise<Places> {
  const wrong = data === undefined ? '--categories' : '--data';
  if (data !== undefined || categories !== undefined) {
    throw new ToolsampleError('config', 'belongs to --suite bfcl', {
      at: { field: wrong },
      hint: 'leave it out: the suite is the file itself',
    });
  }
  const file = resolve(suite);
  if ((await stat(file).catch(() => null)) === null) {
    throw new ToolsampleError('not-found', 'does not exist', {
      at: { file },
      hint: 'give --suite bfcl, or a file of samples',
    });
  }
  return { data: file, categories: [], files: [file] };
}

/** What a folder holds decides the evaluation; a policy of a run is what its step says. */
async function policyFiles(policy: EvaluationInput['policy']): Promise<readonly string[]> {
  if (typeof policy !== 'string' || policy === 'builtin') return [];
  const names = await readdir(policy).catch((cause: unknown) => {
    throw new ToolsampleError('not-found', 'no such folder', {
      at: { file: policy },
      hint: 'give a Hugging Face folder, RUN[@EPOCH] or `builtin`',
      cause,
    });
  });
  return names.sort().map((name) => join(policy, name));
}

/** Names, sizes and times of change: quick, where reading weights is not. */
async function fingerprint(files: readonly string[]): Promise<string> {
  const digest = createHash('sha256');
  for (const file of files) {
    const status = await stat(file).catch(() => null);
    digest.update(`${file}\0${status?.size ?? ''}\0${status?.mtimeMs ?? ''}\n`);
  }
  return digest.digest('hex').slice(0, 16);
}
