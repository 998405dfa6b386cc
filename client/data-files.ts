import { resolve } from 'node:path';
import type { DataReport, DataRewrite, DataSplit } from '../contracts/data-report.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { PolicyText } from '../contracts/policy.ts';
import type { DataFormat, RejectedRow, Sample } from '../contracts/sample.ts';
import { badRowLimit } from '../datasets/bad-rows.ts';
import { DataSummary, type SampleLengths } from '../datasets/data-summary.ts';
import { isRejected, readItems, readSamples } from '../datasets/dataset.ts';
import { DuplicateFinder } from '../datasets/duplicates.ts';
import { openaiRow } from '../datasets/openai-row.ts';
import { ToolSplitter } from '../datasets/tool-split.ts';
import { createFile, type NewFile } from '../services/new-file.ts';

/** Options of the commands that write. */
export interface RewriteOptions {
  /** Rows that may be unusable; they are left out. */
  readonly maxBadRows: number;
}

export interface SplitOptions extends RewriteOptions {
  readonly train: string;
  readonly heldOut: string;
  /** Share of the samples that training may lose. */
  readonly share: number;
  readonly seed: number;
}

/**
 * What a file of samples holds. Unusable rows are listed, whatever their number.
 * @param policy `builtin` or a Hugging Face folder: lengths in its tokens, and the first prompt as it gets it
 * @throws ToolsampleError `not-found` or `dataset` when the file as a whole cannot be read, `checkpoint` or `tokenizer` for
 *   the policy
 */
export async function inspectData(file: string, policy?: string): Promise<DataReport> {
  const text = policy === undefined ? null : await policyText(policy);
  const summary = new DataSummary();
  const onFormat = (format: DataFormat): void => {
    summary.format = format;
  };
  for await (const item of readItems(file, onFormat)) {
    if (isRejected(item)) summary.addBadRow(item);
    else summary.addSample(item, text === null ? null : tokenLengths(item, text));
  }
  const { first } = summary;
  const prompt = first === null || text === null ? null : text.promptText(first);
  return summary.report(resolve(file), prompt);
}

/** Tokenizer and template only: the weights are not read. */
async function policyText(policy: string): Promise<PolicyText> {
  const [{ folderFiles }, { BUILTIN_POLICY }, { readPolicyText }] = await Promise.all([
    import('../policy/checkpoint/checkpoint-files.ts'),
    import('../policy/checkpoint/builtin-policy.ts'),
    import('../policy/text/policy-text.ts'),
  ]);
  return readPolicyText(await folderFiles(policy === 'builtin' ? BUILTIN_POLICY : policy));
}

function tokenLengths(sample: Sample, text: PolicyText): SampleLengths {
  return {
    prompt: text.encodePrompt(sample).length,
    completion: text.encodeCompletion(sample.groundTruth).length,
  };
}

/**
 * Writes a file's samples as OpenAI JSON lines, one for each sample; without those that equal an earlier one where
 * `dedupe` is set.
 * @throws ToolsampleError `config` when the file to write exists, `dataset` at one unusable row too many, `not-found`,
 *   `disk-full`
 */
export async function rewriteData(
  from: string,
  to: string,
  { maxBadRows, dedupe }: RewriteOptions & { readonly dedupe: boolean },
): Promise<DataRewrite> {
  const finder = new DuplicateFinder();
  let samples = 0;
  let duplicates = 0;
  let badRows = 0;
  await writing([to], async ([file]) => {
    for await (const item of goodSamples(from, maxBadRows, () => badRows++)) {
      if (dedupe && finder.seen(item)) {
        duplicates++;
        continue;
      }
      samples++;
      await file?.write(JSON.stringify(openaiRow(item)));
    }
  });
  return { from: resolve(from), written: { file: resolve(to), samples }, duplicates, badRows };
}

/**
 * Splits a file's samples by tools, into two files of OpenAI JSON lines. The file is read twice.
 * @throws ToolsampleError as {@link rewriteData}, and `dataset` when no tool can be held out
 */
export async function splitData(from: string, options: SplitOptions): Promise<DataSplit> {
  const { maxBadRows, share, seed } = options;
  const splitter = new ToolSplitter();
  for await (const sample of goodSamples(from, maxBadRows)) splitter.add(sample);
  const split = splitter.choose({ seed, share });
  if (split.heldOut.size === 0) throw nothingHeldOut(from, splitter.smallestShare, share);
  const counts = { train: 0, heldOut: 0, mixed: 0 };
  let badRows = 0;
  await writing([options.train, options.heldOut], async ([train, heldOut]) => {
    for await (const sample of goodSamples(from, maxBadRows, () => badRows++)) {
      const side = split.side(sample);
      counts[side]++;
      const file = { train, heldOut, mixed: undefined }[side];
      await file?.write(JSON.stringify(openaiRow(sample)));
    }
  });
  return {
    from: resolve(from),
    train: { file: resolve(options.train), samples: counts.train },
    heldOut: { file: resolve(options.heldOut), samples: counts.heldOut },
    mixed: counts.mixed,
    heldOutTools: [...split.heldOut].sort(),
    trainTools: split.trainTools,
    badRows,
  };
}

const percent = (value: number): string => `${(value * 100).toFixed(1)}%`;

function nothingHeldOut(file: string, smallest: number, share: number): ToolsampleError {
  return new ToolsampleError(
    'dataset',
    `each tool is shown in ${percent(smallest)} of the samples or more, and ${percent(share)} may be taken from training`,
    { at: { file }, hint: 'give a larger --share' },
  );
}

async function* goodSamples(
  file: string,
  maxBadRows: number,
  onBadRow: (row: RejectedRow) => void = () => undefined,
): AsyncGenerator<Sample> {
  const allow = badRowLimit(maxBadRows);
  for await (const item of readSamples(file)) {
    if (!isRejected(item)) {
      yield item;
      continue;
    }
    allow(item);
    onBadRow(item);
  }
}

/** Writes files that appear only when all of it went well. */
async function writing(
  paths: readonly string[],
  work: (files: readonly NewFile[]) => Promise<void>,
): Promise<void> {
  const files: NewFile[] = [];
  try {
    for (const path of paths) files.push(await createFile(resolve(path)));
    await work(files);
    for (const file of files) await file.finish();
  } finally {
    for (const file of files) await file.discard();
  }
}
