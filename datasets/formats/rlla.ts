import type { ChatMessage, RejectedRow, Sample } from '../../contracts/sample.ts';
import { excerpt, isRecord, readGroundTruth } from '../ground-truth.ts';
import { isFault, readMessage, readText, type Read } from './fields.ts';

/**
 * ToolRL's rlla rows in both of their forms: verl's schema (`prompt` as chat messages, `reward_model.ground_truth`) and
 * raw (`instruction`, `input`, `output`). Which one a row has is seen from its fields. [ToolRL]
 */
const RLLA_FORMATS = ['rlla-verl', 'rlla-raw'] as const;
type RllaFormat = (typeof RLLA_FORMATS)[number];

/** The fields that make a form; others are ignored. */
const RLLA_FIELDS: { readonly [format in RllaFormat]: readonly string[] } = {
  'rlla-verl': ['prompt', 'reward_model'],
  'rlla-raw': ['instruction', 'input', 'output'],
};

/**
 * One row as a sample, or why it cannot be one. Never throws: the row is untrusted.
 *
 * @param file name of the file, for the sample's provenance and the rejection
 * @param row 1-based
 */
export function rllaSample(content: unknown, file: string, row: number): Sample | RejectedRow {
  const read = readRow(content);
  if (isFault(read)) return { file, row, ...read };
  const { format, messages, groundTruth } = read.value;
  const truth = readGroundTruth(groundTruth.value);
  if ('problem' in truth) return { file, row, field: groundTruth.field, reason: truth.problem };
  return {
    id: `rlla-${String(row).padStart(6, '0')}`,
    messages,
    groundTruth: groundTruth.value,
    shape: truth.shape,
    calls: truth.calls,
    level: null,
    provenance: { format, source: file, row },
  };
}

interface RowContent {
  readonly format: RllaFormat;
  readonly messages: readonly ChatMessage[];
  readonly groundTruth: { readonly field: string; readonly value: string };
}

function readRow(content: unknown): Read<RowContent> {
  if (!isRecord(content)) return { reason: 'is not an object' };
  const has = (format: RllaFormat): boolean => RLLA_FIELDS[format].some((name) => name in content);
  if (has('rlla-verl')) return readVerlRow(content);
  if (has('rlla-raw')) return readRawRow(content);
  const fields = excerpt(Object.keys(content).join(', '));
  return { reason: `has the fields ${fields}: none of rlla's` };
}

function readVerlRow(row: { readonly [key: string]: unknown }): Read<RowContent> {
  const { prompt, reward_model: rewardModel } = row;
  if (!Array.isArray(prompt) || prompt.length === 0) {
    return { field: 'prompt', reason: 'is not a list of chat messages' };
  }
  const messages: ChatMessage[] = [];
  for (const [i, item] of prompt.entries()) {
    const message = readMessage(item, `prompt[${i}]`);
    if (isFault(message)) return message;
    messages.push(message.value);
  }
  if (!isRecord(rewardModel)) return { field: 'reward_model', reason: 'is missing' };
  const field = 'reward_model.ground_truth';
  const truth = readText(rewardModel['ground_truth'], field);
  if (isFault(truth)) return truth;
  return {
    value: { format: 'rlla-verl', messages, groundTruth: { field, value: truth.value } },
  };
}

function readRawRow(row: { readonly [key: string]: unknown }): Read<RowContent> {
  const instruction = readText(row['instruction'], 'instruction');
  if (isFault(instruction)) return instruction;
  const input = readText(row['input'], 'input');
  if (isFault(input)) return input;
  const output = readText(row['output'], 'output');
  if (isFault(output)) return output;
  const messages = (
    [
      { role: 'system', content: instruction.value },
      { role: 'user', content: input.value },
    ] as const
  ).filter(({ content }) => content !== '');
  if (messages.length === 0) return { field: 'input', reason: 'is empty, as is "instruction"' };
  const groundTruth = { field: 'output', value: output.value };
  return { value: { format: 'rlla-raw', messages, groundTruth } };
}
